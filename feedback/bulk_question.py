"""What a bulk change would do, before it is confirmed: to how many leads, a sample, what is refused."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from feedback.bulk import AT_ONCE, MOST, flows_of, leads_of, outcomes, unknown_fields
from feedback.bulk_forms import fields_of, in_order, shown
from feedback.desk import Desk, Sheet
from feedback.forms import choices_of
from feedback.models import BulkChange, BulkLead, Door
from feedback.present import value_json
from feedback.schema import compile_schema
from feedback.submission import Origin
from feedback.wording import NOTHING, in_words
from flows.models import Delivery, Flow

SAMPLE = 8  # leads that are shown
WINDOW = "Their update window has closed: feedback on them is taken no more."


@dataclass(frozen=True, slots=True)
class Line:
    """One lead of the sample: what stands in each field that is to be set; why it is refused, if it is."""

    sheet: Sheet
    stands: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Question:
    """``reasons``: why some are refused, and how many, as far as that can be said now.

    ``replaced``: how many leads have another outcome now.
    """

    flows: list[Flow]
    count: int
    labels: tuple[str, ...]
    sample: list[Line]
    reasons: list[tuple[str, int]]
    replaced: int

    @property
    def too_many(self) -> bool:
        return self.count > MOST

    @property
    def taken(self) -> int:
        """How many leads are left to be changed."""
        return self.count - self.refused

    @property
    def refused(self) -> int:
        return sum(number for _, number in self.reasons)


def look(bulk: BulkChange, desk: Desk) -> Question:
    """A handful of queries, whatever the number of leads; a trial run of all of them where they are few."""
    rows = leads_of(bulk, desk.actor)
    count = rows[: MOST + 1].count()
    flows = flows_of(rows, desk)
    few = count <= AT_ONCE
    shown = list(rows.select_related("flow", "lead").order_by("flow", "pk")[: AT_ONCE if few else SAMPLE])
    problems = _trial(bulk, shown, desk)
    refused = Counter(filter(None, problems.values())) if few else _refusals(bulk, rows, flows, desk.now)
    lines = [_line(bulk, row, desk, problems.get(row.pk, "")) for row in _sample(shown, problems)]
    labels = tuple(_labels(bulk, flows))
    return Question(flows, count, labels, lines, refused.most_common(), _replaced(bulk, rows))


def _trial(bulk: BulkChange, rows: Sequence[Delivery], desk: Desk) -> dict[int, str]:
    """Delivery's key → why it would be refused: the change itself, with nothing recorded."""
    leads = [BulkLead(delivery=row, version=bulk.seen.get(row.public_id, row.version)) for row in rows]
    if not bulk.texts:
        return {row.pk: Sheet.of(row, desk).blocked for row in rows}
    told = outcomes(bulk, leads, desk, Origin(desk.actor, Door.PORTAL, livemode=False))
    return {pk: problem for pk, (_, problem) in told.items()}


def _sample(rows: Sequence[Delivery], problems: dict[int, str]) -> list[Delivery]:
    """Some of both kinds, those that are refused last."""
    good = [row for row in rows if not problems.get(row.pk)]
    bad = [row for row in rows if problems.get(row.pk)]
    kept = bad[: max(SAMPLE // 2, SAMPLE - len(good))]
    return [*good[: SAMPLE - len(kept)], *kept]


def _refusals(
    bulk: BulkChange, rows: QuerySet[Delivery], flows: Sequence[Flow], now: dt.datetime
) -> Counter[str]:
    """By what flows say: switched off, without such a field, a value that is none, the update window."""
    late = Q(pk__in=[])
    for flow in flows:
        late |= Q(flow=flow, delivered_at__lt=now - dt.timedelta(days=flow.update_window_days))
    counted = {
        each["flow"]: each
        for each in rows.values("flow").annotate(leads=Count("pk"), late=Count("pk", filter=late))
    }
    found = Counter[str]()
    for flow in flows:
        numbers = counted.get(flow.pk, {"leads": 0, "late": 0})
        if why := _flow_refuses(bulk, flow, now):
            found[why] += numbers["leads"]
        elif numbers["late"]:
            found[WINDOW] += numbers["late"]
    return found


def _flow_refuses(bulk: BulkChange, flow: Flow, now: dt.datetime) -> str:
    if not flow.feedback_enabled:
        return f"{flow.name} does not take feedback."
    if missing := unknown_fields(flow, bulk.texts):
        return missing
    schema = compile_schema(flow)
    told = schema.validate({"lead_id": "evt", **schema.from_texts(bulk.texts)}, now=now)
    faults = [fault for fault in told if fault.field in bulk.texts] if isinstance(told, tuple) else []
    return "; ".join(fault.message for fault in faults)


def _labels(bulk: BulkChange, flows: Sequence[Flow]) -> list[str]:
    """Of the fields that are to be set; of the outcome, where nothing is chosen yet."""
    specs = {name: spec for name, (spec, _) in fields_of(flows).items()}
    return [specs[name].label if name in specs else name for name in in_order(bulk.texts) or ("outcome",)]


def _line(bulk: BulkChange, row: Delivery, desk: Desk, problem: str) -> Line:
    sheet = Sheet.of(row, desk)
    specs = [sheet.schema.by_name.get(name) for name in in_order(bulk.texts) or ("outcome",)]
    stands = tuple(
        in_words(spec, value_json(row, spec, sheet.flow), sheet.flow) if spec else NOTHING for spec in specs
    )
    return Line(sheet, stands, problem)


def _replaced(bulk: BulkChange, rows: QuerySet[Delivery]) -> int:
    """How many leads have another outcome than the one that is to be set."""
    if "outcome" not in bulk.texts:
        return 0
    return rows.filter(outcome__isnull=False).exclude(outcome=bulk.texts["outcome"]).count()


def in_short(bulk: BulkChange, flows: Sequence[Flow]) -> str:
    """What is set, for people: ``Outcome Converted, Quality score 5 – Excellent``."""
    specs = {name: spec for name, (spec, _) in fields_of(flows).items()}
    told = []
    for name in in_order(bulk.texts):
        text = bulk.texts[name]
        spec = specs.get(name)
        choices = dict(choices_of(spec, text)) if spec else {}
        told.append(f"{spec.label if spec else name} {choices.get(text) or shown(spec, text)}")
    return ", ".join(told)
