"""Rows of one file on one lead: which contradict each other, and which say the same again."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback import contradictions as found_in
from feedback.contradictions import contradictions
from feedback.reader import UnreadableError

WORDS = st.sampled_from(["", "a", "b"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "lead_id": st.sampled_from(["", "evt_1", "evt_2"]),
            "feedback_timestamp": st.sampled_from(["", "t1"]),
        },
        optional={"external_id": st.sampled_from(["", "k"]), "outcome": WORDS, "notes": WORDS},
    ),
    max_size=10,
)


def look(rows: list[dict[str, str]]):
    numbered = list(enumerate(rows, 2))
    return contradictions(lambda: numbered, len(rows))


def key(row: dict[str, str]) -> tuple[str, str]:
    return row["lead_id"] or row.get("external_id", ""), row["feedback_timestamp"]


@given(ROWS)
def test_as_one_would_by_hand(rows):
    """Each pair of rows compared, with the texts themselves."""
    wrong, twice = {}, set()
    for line, row in enumerate(rows, 2):
        fields = set()
        for other_line, other in enumerate(rows, 2):
            if not key(row)[0] or key(other) != key(row) or other_line == line:
                continue
            names = ("outcome", "notes")
            fields |= {
                name for name in names if row.get(name) and other.get(name) and row[name] != other[name]
            }
            said, before = ({n: t for n, t in each.items() if t} for each in (row, other))
            if other_line < line and said == before:
                twice.add(line)
        if fields:
            wrong[line] = fields
    shared = own_ids_of_two_leads(rows)
    found = look(rows)
    assert set(found.twice) == twice
    assert found.wrong.keys() == wrong.keys() | shared
    for line, names in wrong.items():
        assert line in shared or f"for {' and '.join(sorted(names))}." in found.wrong[line]


def own_ids_of_two_leads(rows) -> set[int]:
    both = [
        (line, row["external_id"], row["lead_id"])
        for line, row in enumerate(rows, 2)
        if row.get("external_id") and row["lead_id"]
    ]
    return {line for line, own, lead in both if any(own == o and lead != other for _, o, other in both)}


def test_short_rows_say_the_same_as_long_ones_with_empty_cells():
    found = look([{"lead_id": "evt_1", "outcome": "a"}, {"lead_id": "evt_1", "outcome": "a", "notes": ""}])
    assert (found.wrong, list(found.twice)) == ({}, [3])


def test_rows_without_an_id_are_not_compared_and_not_counted(monkeypatch):
    monkeypatch.setattr(found_in, "MAX_REPEATED", 3)
    rows = [{"lead_id": "", "outcome": word, "feedback_timestamp": at} for word in "abcd" for at in "12345"]
    assert not look(rows).wrong
    assert not look(rows).twice


def test_too_many_are_refused_as_soon_as_they_are_seen(monkeypatch):
    monkeypatch.setattr(found_in, "MAX_REPEATED", 10)
    passes = []

    def rows():
        passes.append(1)
        return ((line, {"lead_id": f"evt_{line // 2}"}) for line in range(1_000))

    with pytest.raises(UnreadableError, match="More than 10 rows"):
        contradictions(rows, 1_000)
    assert len(passes) == 1


def test_what_is_held_does_not_grow_with_the_cells():
    def rows(length: int):
        return lambda: (
            (n, {"lead_id": f"evt_{n % 1_000}", "notes": f"{n % 1_000:0{length}}"}) for n in range(2_000)
        )

    def peak(length: int) -> int:
        tracemalloc.start()
        assert len(contradictions(rows(length), 2_000).twice) == 1_000
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(5_000) < peak(5) * 1.2 < 2_000_000
