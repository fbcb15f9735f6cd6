"""How a file's columns and values are understood. Pure: names and cells in, targets and meanings out.

A `Mapping` says for each column, by its position, which field it holds, and what a cell stands for where its
text is not the field's own ("Closed Won" → ``converted``). It is guessed, shown, corrected by a person, and
kept as JSON with the upload and for the next file with the same head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any, Self

from feedback.reader import OUR_OWN, column_name
from feedback.schema import Schema
from feedback.schema.hints import OUTCOME_WORDS, did_you_mean
from feedback.schema.spec import ID_NAMES, TIMESTAMP, FieldSpec
from feedback.schema.texts import NO, YES
from feedback.schema.values import OUTCOMES

EMAIL, PHONE = "contact:email", "contact:phone"  # read only to propose leads for rows without a known id
CONTACT = (EMAIL, PHONE)
LEAVE_OUT = ""
NOT_FEEDBACK = (*ID_NAMES, *CONTACT, TIMESTAMP)
LONGEST_MEANING = 200  # characters of a cell that can be given a meaning
YES_NO = ("yes", "no")

# Heads that CRMs write, by the target that they most likely hold. Compared folded, without punctuation.
_HEADS: AnyMapping[str, tuple[str, ...]] = {
    "lead_id": ("event id", "lead", "leadid", "lead uuid", "delivery id", "leadconduit id", "evt"),
    "external_id": ("id", "crm id", "record id", "our id", "opportunity id", "contact id", "client id"),
    "outcome": ("status", "lead status", "result", "disposition", "stage", "deal stage", "opportunity stage"),
    "converted": ("sold", "is converted", "won", "sale"),
    "quality_score": ("quality", "score", "rating", "lead quality", "lead rating", "stars"),
    "revenue": ("amount", "sale amount", "deal amount", "value", "deal value", "premium", "betrag", "umsatz"),
    "commission": ("payout", "fee", "commission amount"),
    TIMESTAMP: ("date", "updated", "updated at", "status date", "closed date", "close date", "feedback date"),
    "contacted_date": ("contacted", "contacted at", "contact date", "first contact", "first contacted"),
    "reason": ("return reason", "lost reason", "closed lost reason", "rejection reason"),
    "notes": ("note", "comment", "comments", "remarks", "description", "kommentar"),
    EMAIL: ("email", "e mail", "email address", "e mail address", "mail"),
    PHONE: ("phone", "phone number", "mobile", "mobile phone", "telephone", "tel", "cell", "telefon"),
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """``columns``: the target of each column, by position: an id, a field, `EMAIL`, `PHONE` or `LEAVE_OUT`.

    ``values``: field → `fold` of a cell → what it stands for, one of `meanings`, or "" to leave the cell out.
    """

    columns: tuple[str, ...]
    values: AnyMapping[str, AnyMapping[str, str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": list(self.columns),
            "values": {name: dict(known) for name, known in self.values.items()},
        }

    @classmethod
    def from_json(cls, data: AnyMapping[str, Any]) -> Self:
        """From what `as_json` made; an empty mapping of nothing."""
        return cls(tuple(data.get("columns", ())), data.get("values", {}))

    def cell(self, target: str, text: str) -> str:
        """What a trimmed cell of that target stands for: its meaning where it has one, else the text."""
        known = self.values.get(target)
        return text if known is None else known.get(fold(text), text)


def fold(text: str) -> str:
    """How cells are compared: without regard to case and to the width of gaps."""
    return " ".join(text.casefold().split())


def head_key(head: Sequence[str] | None, width: int) -> str:
    """By what the mapping of a file with this head is remembered; without a head, by its width.

    A file of refused rows, mended, has the key of the file that it came from.
    """
    if head is not None and tuple(head[-2:]) == OUR_OWN:
        head, width = head[:-2], len(head) - 2
        if all(name == column_name(index) for index, name in enumerate(head)):
            head = None
    named = "\0".join(map(fold, head)) if head is not None else f"\0{width}"
    return hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()


def meanings(schema: Schema) -> dict[str, tuple[str, ...]]:
    """The fields whose cells can be given a meaning → the texts that they may stand for."""
    found = {spec.name: _texts_of(spec) for spec in schema.fields}
    return {name: texts for name, texts in found.items() if texts}


def _texts_of(spec: FieldSpec) -> tuple[str, ...]:
    if spec.kind == "outcome":
        return OUTCOMES
    if spec.kind == "boolean":
        return YES_NO
    return spec.choices if spec.kind == "choice" else ()


def is_understood(text: str, known: Sequence[str]) -> bool:
    """Whether a cell needs no meaning, as it is one of the `meanings` of its field."""
    return text in known or (known == YES_NO and text.lower() in (*YES, *NO))


def targets(schema: Schema) -> tuple[str, ...]:
    """Whatever a column can be read as, `LEAVE_OUT` apart."""
    return (*ID_NAMES, *schema.by_name, *CONTACT)


def guess(head: Sequence[str] | None, samples: Sequence[Sequence[str]], schema: Schema) -> tuple[str, ...]:
    """A target for each column, none twice: by the column's name, else by what its cells look like.

    ``samples``: rows of cells, as they stand in the file.
    """
    width = len(head) if head is not None else max(map(len, samples), default=0)
    found = [LEAVE_OUT] * width
    open_targets = dict.fromkeys(targets(schema))
    if head is not None:
        for asked in (_exactly, _by_known_words, _nearly):
            _assign(found, open_targets, lambda index, free, asked=asked: asked(head[index], free, schema))
    _assign(
        found,
        open_targets,
        lambda index, free: _by_cells(
            [row[index].strip() for row in samples if index < len(row) and row[index].strip()],
            free,
            schema,
            named=head is not None,
        ),
    )
    return tuple(found)


def _assign(found: list[str], free: dict[str, None], asked: Any) -> None:
    for index, target in enumerate(found):
        if not target and (answer := asked(index, free)):
            found[index] = answer
            del free[answer]


def _plain(name: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in name.casefold()).split())


def _exactly(name: str, free: Iterable[str], schema: Schema) -> str:
    """By the field's own name, or by that of the lead field which it maps onto."""
    wanted = _plain(name)
    by_name = {_plain(target): target for target in free if target not in CONTACT}
    mapped = {_plain(spec.maps_to): spec.name for spec in schema.fields if spec.maps_to}
    answer = by_name.get(wanted) or mapped.get(wanted, "")
    return answer if answer in free else ""


def _by_known_words(name: str, free: Iterable[str], schema: Schema) -> str:
    wanted = _plain(name)
    return next((target for target in free if wanted in _HEADS.get(target, ())), "")


def _nearly(name: str, free: Iterable[str], schema: Schema) -> str:
    return did_you_mean(name, [target for target in free if target not in CONTACT]) if name.strip() else ""


def _by_cells(cells: Sequence[str], free: Iterable[str], schema: Schema, *, named: bool) -> str:
    """What cells give away: ids of leads, addresses, and words that a field of the flow knows."""
    if not cells:
        return ""
    if "lead_id" in free and all(cell.startswith("evt_") for cell in cells):
        return "lead_id"
    if named:  # a column with a name that says nothing is not read on a suspicion
        return ""
    if EMAIL in free and all("@" in cell and "." in cell for cell in cells):
        return EMAIL
    for name, known in meanings(schema).items():
        if name in free and all(_known_text(cell, known) for cell in cells):
            return name
    return ""


def _known_text(cell: str, known: Sequence[str]) -> bool:
    return fold(cell) in {fold(text) for text in known} or (known is OUTCOMES and bool(_outcome(cell)))


def guess_value(name: str, text: str, schema: Schema) -> str:
    """What a cell of the field most likely stands for, one of its `meanings`, or "" where nobody knows."""
    spec = schema.by_name[name]
    if spec.kind == "boolean":
        word = fold(text)
        return "yes" if word in (*YES, "x", "✓") else "no" if word in NO else ""
    if spec.kind == "outcome":
        return _outcome(text)
    return did_you_mean(text, spec.choices)


def _outcome(text: str) -> str:
    return did_you_mean(text, OUTCOMES, OUTCOME_WORDS)


def faults(mapping: Mapping, schema: Schema) -> list[str]:
    """What keeps a file from being read with this mapping, in sentences for people; none: it can be."""
    chosen = [target for target in mapping.columns if target]
    found = [
        f"Two columns are read as {label_of(target)}. Leave one of them out."
        for target in dict.fromkeys(chosen)
        if chosen.count(target) > 1
    ]
    known = targets(schema)
    found += [
        f"This flow has no field {target} any more."
        for target in dict.fromkeys(chosen)
        if target not in known
    ]
    if not set(chosen) & {*ID_NAMES, *CONTACT}:
        found.append("No column names the lead. Choose the column of lead_id, of your own id, or a contact.")
    if not set(chosen) - set(NOT_FEEDBACK):
        found.append("No column holds feedback. Choose the column of the outcome, say.")
    found += [
        f"{spec.name} is required on this flow. Choose its column."
        for spec in schema.fields
        if spec.required and spec.name not in chosen
    ]
    return found


def label_of(target: str) -> str:
    """A target in words, within a sentence."""
    return _LABELS.get(target, target)


_LABELS = {
    "lead_id": "the lead's id",
    "external_id": "your own id",
    EMAIL: "the contact's e-mail",
    PHONE: "the contact's phone",
}
