"""Near misses: what a sender most likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

LONGEST = 64  # a longer word is no slip of the pen, and comparing it would cost

# Words that buyers' CRMs use for the seven outcomes.
OUTCOME_WORDS: Mapping[str, str] = {
    "sold": "converted",
    "sale": "converted",
    "won": "converted",
    "closed": "converted",
    "closed_won": "converted",
    "purchased": "converted",
    "bought": "converted",
    "funded": "converted",
    "reached": "contacted",
    "spoke": "contacted",
    "callback": "contacted",
    "no_answer": "no_contact",
    "unreachable": "no_contact",
    "voicemail": "no_contact",
    "bad": "bad_info",
    "invalid": "bad_info",
    "fake": "bad_info",
    "wrong_number": "bad_info",
    "wrong_phone": "bad_info",
    "disconnected": "bad_info",
    "repeat": "duplicate",
    "already_in_system": "duplicate",
    "lost": "not_interested",
    "closed_lost": "not_interested",
    "declined": "not_interested",
    "uninterested": "not_interested",
    "refund": "returned",
    "refunded": "returned",
    "rejected": "returned",
}


def did_you_mean(word: str, candidates: Iterable[str], known: Mapping[str, str] | None = None) -> str:
    """The candidate that ``word`` most likely stands for, or "".

    Tried in turn: the same word in another spelling, a word of ``known``, an unambiguous beginning of
    three letters or more, the nearest by difflib.
    """
    if len(word) > LONGEST:
        return ""
    plain = "_".join(word.lower().replace("-", " ").replace("_", " ").split())
    names = {each.lower(): each for each in candidates}
    if plain in names:
        return names[plain]
    if known and plain in known:
        return known[plain]
    begins = [name for name in names if len(plain) >= 3 and name.startswith(plain)]
    if len(begins) == 1:
        return names[begins[0]]
    near = difflib.get_close_matches(plain, names, n=1, cutoff=0.7)
    return names[near[0]] if near else ""
