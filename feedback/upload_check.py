"""Look over every row of a file before anything is recorded: what the run would do, and what it would refuse.

The rows take the same way as in the run (`feedback.upload_rows`, `feedback.intake`), as those of a test do:
nothing is written but the findings. A check whose worker was killed begins anew.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from feedback import mapping, proposals, reader
from feedback.intake import intake
from feedback.leases import renewed
from feedback.models import ProposedMatch, RefusedRow, Upload
from feedback.present import value_json
from feedback.reader import Row
from feedback.schema import compile_schema
from feedback.schema.clock import iso
from feedback.schema.ids import read_ids
from feedback.schema.spec import TIMESTAMP
from feedback.submission import Receipt, Submission
from feedback.upload_lease import keep
from feedback.upload_rows import Plan, origin_of
from flows.models import Delivery
from flows.problems import Problem

CHUNK = 500  # rows looked over in one transaction
REASONS, SAMPLES, UNKNOWN = 20, 20, 100  # so many are kept for the page
# What differs between rows that are refused for one reason: quoted texts, dates, numbers, lines.
_PARTICULARS = re.compile(r"“[^”]*”|\d[\d:TZ.,+-]*(?:, \d+)*(?: …)?")
Refused = dict[int, str]


@dataclass
class Tally:
    """What the check found so far."""

    meanings: Mapping[str, Sequence[str]]
    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, list[Any]] = field(default_factory=dict)  # kind → error, how often, the first line
    samples: list[dict[str, Any]] = field(default_factory=list)
    unknown: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def refuse(self, refused: Refused) -> None:
        self.counts["refused"] += len(refused)
        for line, error in refused.items():
            kind = _PARTICULARS.sub("#", error)  # rows refused for one reason, at whatever date or line
            self.reasons.setdefault(kind, [error, 0, line])[1] += 1

    def note_unknown(self, cells: Mapping[str, str]) -> None:
        """Count a cell for which nobody knows what it stands for."""
        for name, known in self.meanings.items():
            text = cells.get(name, "")
            if text and not mapping.is_understood(text, known):
                seen = self.unknown[name]
                if text in seen or len(seen) < UNKNOWN:
                    seen[text[: mapping.LONGEST_MEANING]] += 1

    def as_json(self) -> dict[str, Any]:
        """The findings: see the head of this file."""
        named = ("new", "changed", "unchanged", "refused", "proposed", "learned")
        often = sorted(self.reasons.values(), key=lambda each: -each[1])[:REASONS]
        return {
            **{name: self.counts[name] for name in named},
            "reasons": [{"error": error, "count": count, "line": line} for error, count, line in often],
            "samples": self.samples,
            "unknown": {name: seen.most_common() for name, seen in self.unknown.items()},
            "checked_at": iso(timezone.now()),
        }


def check_rows(upload: Upload) -> None:
    """Look over the file of an upload that is ours to check. UnreadableError where all of it is refused."""
    _forget(upload)
    with upload.file.open("rb") as file:
        stream = cast(BinaryIO, file)
        plan = Plan.of(stream, upload)
        keep(upload, rows=plan.rows, rows_done=0, rejected=0, claimed_until=renewed())
        tally = Tally(mapping.meanings(plan.schema))
        contacts = proposals.may_propose(upload)
        for rows in reader.chunks(reader.rows(stream, plan.dialect), CHUNK):
            _look_over(upload, plan, tally, rows, by_contact=contacts)
        if tally.counts["proposed"]:
            _withdraw_named(upload, plan, tally, stream)
    findings = {"rows": upload.rows_done, **tally.as_json()}
    keep(upload, status=Upload.Status.CHECKED, findings=findings, claimed_until=None)


def _withdraw_named(upload: Upload, plan: Plan, tally: Tally, stream: BinaryIO) -> None:
    """Refuse the rows whose lead, found by its contact, other rows name by an id."""
    lines = set(proposals.withdraw_named(upload, partial(plan.named_among, stream)))
    if not lines:
        return
    rows = (row for row in reader.rows(stream, plan.dialect) if row.line in lines)
    RefusedRow.objects.bulk_create(
        (
            RefusedRow(upload=upload, line=row.line, cells=row.cells, error=proposals.NAMED_TOO)
            for row in rows
        ),
        batch_size=CHUNK,
    )
    tally.counts["proposed"] -= len(lines)
    tally.refuse(dict.fromkeys(lines, proposals.NAMED_TOO))
    keep(upload, rejected=upload.rejected + len(lines), claimed_until=renewed())


def _forget(upload: Upload) -> None:
    """Whatever an earlier check found."""
    RefusedRow.objects.filter(upload=upload).delete()
    ProposedMatch.objects.filter(upload=upload).delete()


def _look_over(upload: Upload, plan: Plan, tally: Tally, rows: Sequence[Row], *, by_contact: bool) -> None:
    submissions, refused = plan.sort_out(rows)
    with transaction.atomic():
        receipts = {each.index: each for each in _weighed(upload, submissions)}
        if by_contact:
            proposed = _proposed(upload, plan, rows, submissions, receipts)
            ProposedMatch.objects.bulk_create(each for found in proposed.values() for each in found)
            tally.counts["proposed"] += len(proposed)
        refused |= {line: each.problem.as_text() for line, each in receipts.items() if each.problem}
        RefusedRow.objects.bulk_create(
            RefusedRow(upload=upload, line=row.line, cells=row.cells, error=refused[row.line])
            for row in rows
            if row.line in refused
        )
        done = upload.rows_done + len(rows)
        keep(
            upload,
            rows_done=done,
            rejected=upload.rejected + len(refused),
            claimed_until=renewed(),
        )
    tally.refuse(refused)
    _count(plan, tally, [each for each in receipts.values() if not each.problem], upload)
    for row in rows:
        if row.line not in plan.repeated.wrong and len(row.cells) <= len(plan.mapping.columns):
            tally.note_unknown(plan.cells(row))


def _weighed(upload: Upload, submissions: Sequence[Submission]) -> list[Receipt]:
    return intake(upload.flow, submissions, origin_of(upload, dry=True)) if submissions else []


def _proposed(
    upload: Upload,
    plan: Plan,
    rows: Sequence[Row],
    submissions: Sequence[Submission],
    receipts: dict[int, Receipt],
) -> dict[int, list[ProposedMatch]]:
    """Line → the leads proposed for it; a row whose feedback is wrong anyway is left among the refused, and
    so is one whose own id is another lead's.

    Takes the receipts of the rows that now wait for a person out of ``receipts``.
    """
    lost = {each.index: each for each in submissions if _finds_nothing(each, receipts[each.index])}
    contacts = {row.line: plan.contact(row) for row in rows if row.line in lost}
    found = proposals.propose(upload, {line: said for line, said in contacts.items() if any(said)})
    with_lead = [
        replace(lost[line], payload=proposals.naming(lost[line].payload, each[0].delivery.public_id))
        for line, each in found.items()
    ]
    for receipt in _weighed(upload, with_lead):
        before = receipts.pop(receipt.index)
        if receipt.problem:
            receipts[receipt.index] = before if _is_of_another(receipt.problem) else receipt
            del found[receipt.index]
    return found


def _is_of_another(problem: Problem) -> bool:
    return any(fault.code == "id_mismatch" for fault in problem.faults)


def _finds_nothing(submission: Submission, receipt: Receipt) -> bool:
    """Whether the row names no lead, or one that is not there."""
    if receipt.problem is None:
        return False
    ids, _ = read_ids(submission.payload)
    return receipt.problem.code == "lead_not_found" or not any(ids)


def _count(plan: Plan, tally: Tally, receipts: Sequence[Receipt], upload: Upload) -> None:
    """Count the rows that are not refused, each as what the run will count it.

    They are weighed against what is on record and against each other. Of other chunks only rows that say the
    same word for word are known: one that merely agrees with rows far above counts as a change here.
    """
    recorded = [each for each in receipts if each.would_be == "recorded" and _lead(each).pk]
    arrived = Counter(_lead(each).pk for each in recorded)
    news = [each for each in recorded if each.index not in plan.repeated.twice]
    first = {_lead(each).pk: each for each in reversed(news)}
    new = sum(_lead(each).feedback_count == arrived[pk] for pk, each in first.items())
    learned = {_lead(each).pk for each in receipts if each.learned and each.index not in plan.repeated.twice}
    tally.counts.update(
        new=new, changed=len(news) - new, unchanged=len(receipts) - len(news), learned=len(learned)
    )
    in_order = sorted(first.values(), key=lambda each: each.index)
    tally.samples += _samples(in_order[: SAMPLES - len(tally.samples)], upload)


def _lead(receipt: Receipt) -> Delivery:
    assert receipt.delivery is not None  # noqa: S101  # the row was not refused
    return receipt.delivery


def _samples(receipts: Sequence[Receipt], upload: Upload) -> list[dict[str, Any]]:
    """Before and after of a few leads. One query."""
    if not receipts:
        return []
    stand = Delivery.objects.in_bulk([_lead(each).pk for each in receipts])
    return [_sample(each.index, stand[_lead(each).pk], _lead(each), upload) for each in receipts]


def _sample(line: int, stands: Delivery, would: Delivery, upload: Upload) -> dict[str, Any]:
    before, after = (_flat(each, upload) for each in (stands, would))
    changed = [name for name in after if after[name] != before.get(name)]
    return {
        "line": line,
        "lead": would.public_id,
        "changes": [{"name": name, "before": before.get(name), "after": after[name]} for name in changed],
    }


def _flat(delivery: Delivery, upload: Upload) -> dict[str, Any]:
    fields = compile_schema(upload.flow).fields
    return {each.name: value_json(delivery, each, upload.flow) for each in fields if each.name != TIMESTAMP}
