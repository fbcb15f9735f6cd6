"""What has changed at each source: coverage, outcomes and volume of a week beside the four weeks before it.

Older leads have had more time to be told of, so the weeks are compared at the same age: a lead is covered if
its first feedback was received within 7 days of its delivery; it is sold, bad or returned if it became so
within 14 days. Weeks are taken that are old enough for all of their leads; what happened may be told a week
later (`LATE`). Volume has no age: the last seven whole days.

Outcomes are counted on the leads with feedback (received within the same 21 days), so that a buyer who falls
silent is told of as such and not as a source that sells less.

Leads of buyers who report once a month are left out of the rates: whether a week of theirs is covered at a
week's age depends on where in the month it lies. If they report at all is told by ``feedback/overdue.py``.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q

from feedback.baseline import BASE_DAYS, RECENT_DAYS, Sample, dispersion, judge
from flows.conditions import settle
from flows.models import Agreement, Alert, ConversionStatus, Delivery, Outcome, Source

FAMILY = "change"
COVERED_WITHIN, KNOWN_WITHIN, LATE = 7, 14, 7  # days
SPAN = KNOWN_WITHIN + LATE + RECENT_DAYS + BASE_DAYS  # the oldest day that counts lies so far back
DAY = dt.timedelta(days=1)
Counts = Mapping[str, int]
Days = Mapping[dt.date, Counts]


@dataclass(frozen=True, slots=True)
class Watched:
    """A rate that is watched: what it is of what, at which age of the leads, and which change is told."""

    label: str
    part: str
    whole: str
    matures: int  # days
    words: str
    good: str = ""  # the direction that is good news; "" for neither
    told: tuple[str, ...] = ("up", "down")


SETTLED = KNOWN_WITHIN + LATE
RATES: Mapping[str, Watched] = {
    "coverage": Watched(
        "coverage", "covered", "delivered", COVERED_WITHIN, "had feedback within 7 days", told=("down",)
    ),
    "sold": Watched(
        "sales per lead with feedback", "sold", "told", SETTLED, "were sold within 14 days", good="up"
    ),
    "bad_info": Watched(
        "bad info per lead with feedback", "bad", "told", SETTLED, "were bad info within 14 days", good="down"
    ),
    "returned": Watched(
        "returns per lead with feedback",
        "returned",
        "told",
        SETTLED,
        "were returned within 14 days",
        good="down",
    ),
}
VOLUME = "volume"
NONE: Counts = dict.fromkeys(("all", "delivered", "covered", "told", "sold", "bad", "returned"), 0)


def settle_changes(seller_id: int, *, now: dt.datetime) -> None:
    """Tell what has changed at the seller's sources, and what is no longer different.

    Three queries, however many sources and leads there are, and those of what is to be told.
    """
    sources = {each.pk: each for each in Source.objects.filter(flow__seller=seller_id).select_related("flow")}
    days = _days(seller_id, now)
    samples = {
        (pk, metric): sample
        for pk, source in sources.items()
        for metric, sample in samples_of(days[pk], source, now).items()
    }
    begun: dict[str, Callable[[], Alert]] = {}
    lasting: set[str] = set()
    stands = judge({f"{pk}:{metric}": sample for (pk, metric), sample in samples.items()})
    for (pk, metric), sample in samples.items():
        how, condition = stands[f"{pk}:{metric}"], f"{FAMILY}:{pk}:{metric}:{sample.direction}"
        if how == "changed" and _is_told(metric, sample):
            begun[condition] = partial(_alert, sources[pk], metric, sample, now)
        elif how == "lasts":
            lasting |= _as_it_was(condition, sample)
    settle(seller_id, FAMILY, begun, lasting, now=now)


def samples_of(days: Days, source: Source, now: dt.datetime) -> dict[str, Sample]:
    """What is compared of one source, by metric; of a paused one no volume, which is no surprise."""
    today = now.astimezone(ZoneInfo(source.flow.timezone)).date()
    samples = {name: _rate(days, each, today) for name, each in RATES.items()}
    volume = _volume(days, today) if source.status == Source.Status.ACTIVE else None
    return {**samples, VOLUME: volume} if volume else samples


def _days(seller_id: int, now: dt.datetime) -> dict[int, dict[dt.date, dict[str, int]]]:
    """Counts by source and delivery day. One query over the deliveries of the last weeks, by their index."""
    first = (now - (SPAN + 2) * DAY).date()
    monthly = Agreement.objects.filter(
        flow=OuterRef("flow"), buyer=OuterRef("buyer"), schedule=Agreement.Schedule.MONTHLY
    )
    age = F("delivered_at")
    counted = Q(monthly=False)
    told = counted & Q(first_feedback_at__lte=age + SETTLED * DAY)
    known = told & Q(last_feedback_at__lte=age + KNOWN_WITHIN * DAY)
    is_sold = Q(conversion_status=ConversionStatus.SOLD, converted_at__lte=age + KNOWN_WITHIN * DAY)
    which = {
        "delivered": counted,
        "covered": counted & Q(first_feedback_at__lte=age + COVERED_WITHIN * DAY),
        "told": told,
        "sold": told & is_sold,
        "bad": known & Q(outcome=Outcome.BAD_INFO),
        "returned": known & Q(outcome=Outcome.RETURNED),
    }
    parts = {name: Count("pk", filter=condition) for name, condition in which.items()}
    deliveries = Delivery.objects.filter(source__flow__seller=seller_id, delivered_on__gte=first).order_by()
    found: dict[int, dict[dt.date, dict[str, int]]] = defaultdict(dict)
    rows: Any = deliveries.annotate(monthly=Exists(monthly)).values("source_id", "delivered_on")
    for row in rows.annotate(all=Count("pk"), **parts):
        found[row["source_id"]][row["delivered_on"]] = {name: row[name] for name in NONE}
    return found


def _rate(days: Days, watched: Watched, today: dt.date) -> Sample:
    recent, base = _weeks(days, today - (watched.matures + 1) * DAY)
    return Sample(
        _sum(recent, watched.part),
        _sum(recent, watched.whole),
        _sum(base, watched.part),
        _sum(base, watched.whole),
    )


def _volume(days: Days, today: dt.date) -> Sample | None:
    """None of a source that sent nothing in one of the four weeks: it is new, or has no usual volume."""
    recent, base = _weeks(days, today - DAY)
    counts = [each["all"] for each in base]
    if not all(any(counts[start : start + 7]) for start in range(0, BASE_DAYS, 7)):
        return None
    spread = dispersion(counts)
    return Sample(_sum(recent, "all"), RECENT_DAYS, _sum(base, "all"), BASE_DAYS, spread)


def _weeks(days: Days, last: dt.date) -> tuple[list[Counts], list[Counts]]:
    """The week that ends with that day, and the four before it; days without deliveries count as such."""
    back = [days.get(last - n * DAY, NONE) for n in range(RECENT_DAYS + BASE_DAYS)]
    return back[:RECENT_DAYS], back[RECENT_DAYS:]


def _sum(days: Sequence[Counts], name: str) -> int:
    return sum(day[name] for day in days)


def _is_told(metric: str, sample: Sample) -> bool:
    return metric == VOLUME or sample.direction in RATES[metric].told


def _as_it_was(condition: str, sample: Sample) -> set[str]:
    """A week with too few leads tells no direction: whichever stood goes on."""
    if sample.enough:
        return {condition}
    stem = condition.rpartition(":")[0]
    return {f"{stem}:up", f"{stem}:down"}


def _alert(source: Source, metric: str, sample: Sample, now: dt.datetime) -> Alert:
    went = {"up": "rose", "down": "fell"}[sample.direction]
    title, body, good = _volume_words(sample) if metric == VOLUME else _rate_words(RATES[metric], sample)
    return Alert(
        flow=source.flow,
        source=source,
        level=Alert.Level.GOOD if good == sample.direction else Alert.Level.WARN,
        title=f"{source}: {title.format(went=went)}"[:160],
        body=f"{body} By chance alone so great a difference comes {_rarely(sample.p_value)}.",
        created_at=now,
    )


def _rate_words(watched: Watched, sample: Sample) -> tuple[str, str, str]:
    now_, then = _percent(sample.part, sample.whole), _percent(sample.base_part, sample.base_whole)
    leads = "leads with feedback" if watched.whole == "told" else "leads"
    body = (
        f"Of the {sample.whole:,} {leads} of a week {sample.part:,} {watched.words} ({now_}); of "
        f"{sample.base_whole:,} in the four weeks before, {sample.base_part:,} ({then}). It is the last week "
        f"whose leads are all {watched.matures} days old."
    )
    return f"{watched.label} {{went}} from {then} to {now_}", body, watched.good


def _volume_words(sample: Sample) -> tuple[str, str, str]:
    usual = f"{sample.base_part * RECENT_DAYS / BASE_DAYS:,.0f}"
    body = f"{sample.part:,} leads in the last 7 days; the four weeks before had {usual} a week."
    return f"leads a week {{went}} from {usual} to {sample.part:,}", body, ""


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _rarely(p_value: float) -> str:
    return f"less than once in {min(int(1 / max(p_value, 1e-9)), 1_000_000):,} times"
