"""Reads what a replay needs of the past: deliveries, events, and how the sources stood. A fixed number of
queries."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import FilteredRelation, Q, QuerySet

from feedback.backtest.ledger import Said, Sold
from feedback.fold import COLUMNS, Event
from feedback.looks import condition_of, today_of
from feedback.models import Feedback
from flows import actions
from flows.actions.base import BadRule
from flows.models import (
    ConversionStatus,
    Decision,
    Delivery,
    Rule,
    Source,
    SourceChange,
    SuppressionList,
)
from portal.models import Buyer

MIDNIGHT = dt.time()
# The fields that make the columns which cells count; the others need not be remembered.
_TELLING = frozenset({*COLUMNS, "converted"}) - {"contacted_date"}
_TYPED: dict[str, Callable[[str], Any]] = {"daily_cap": int, "price_adjustment": Decimal}
_STATUS = "status"
_STANDS = (*_TYPED, _STATUS)
Value = tuple[str, str]  # kind, normalised value


class TooMuch(Exception):  # noqa: N818
    """More deliveries bear on the rule than were allowed; ``count`` of them."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count:,} deliveries bear on this rule.")
        self.count = count


@dataclass(slots=True)
class Past:
    """``items`` in the order in which they became known, from the first that may count on.

    ``sources``: rows of their own, set back to how they stood at the start, never to be saved; those that
    were paused then are active again from the day on which they were ``resumed``. ``standing`` knows how
    their caps and prices stood at any moment. ``pauses``: what rules paused; ``listed``: what stood on the
    rule's list at the start, until when; ``real``: how often the rule did decide since.
    """

    rule: Rule
    zone: zoneinfo.ZoneInfo
    first: dt.date
    last: dt.date
    now: dt.datetime
    items: list[Sold | Said]
    sources: dict[int, Source]
    resumed: dict[int, dt.datetime]
    standing: Standing
    buyers: dict[int, Buyer]
    left_out: dict[int, str]  # buyers who are not to count, by name
    pauses: list[Decision]
    listed: dict[Value, dt.datetime | None]
    list_name: str
    real: int

    @property
    def start(self) -> dt.datetime:
        """When the first day begins; before it the rule decides nothing."""
        return dt.datetime.combine(self.first, MIDNIGHT, self.zone)

    def looks(self) -> Iterator[tuple[dt.date, dt.datetime]]:
        """The days, each with its end, when it is looked at; today's look is now. Sources come along."""
        days = [self.first + dt.timedelta(days=n) for n in range((self.last - self.first).days)]
        ends = [(day, dt.datetime.combine(day + dt.timedelta(days=1), MIDNIGHT, self.zone)) for day in days]
        for day, end in [*ends, (self.last, self.now)]:
            self._resume(end)
            yield day, end

    def _resume(self, until: dt.datetime) -> None:
        """No rule pauses what is paused, so whatever was at the start still stands as it did."""
        for pk in [pk for pk, moment in self.resumed.items() if moment <= until]:
            self.sources[pk].status, self.sources[pk].status_reason = Source.Status.ACTIVE, ""
            del self.resumed[pk]


class Standing:
    """How sources stood: what the next change found, or what stands today.

    Changes are those on record, and before these what rules are known to have changed. Of a status without
    any record nothing is known: it is taken as active.
    """

    def __init__(
        self, sources: Iterable[Source], decisions: Iterable[Decision], changes: Iterable[SourceChange]
    ) -> None:
        self._today = {(source.pk, name): getattr(source, name) for source in sources for name in _STANDS}
        self._found: dict[tuple[int, str], list[tuple[dt.datetime, Any]]] = defaultdict(list)
        for change in changes:
            self._found[change.source_id, change.column].append((change.at, change.before))
        self._on_record = {key: found[0][0] for key, found in self._found.items()}
        for decision in decisions:
            for name in _TYPED.keys() & decision.before.keys() & decision.after.keys():
                self._known((decision.source_id, name), done_at(decision), decision.before[name])
                if decision.undone_at:
                    self._known((decision.source_id, name), decision.undone_at, decision.after[name])
        for each in self._found.values():
            each.sort(key=lambda step: step[0])

    def _known(self, key: tuple[int, str], moment: dt.datetime, value: Any) -> None:
        if key not in self._on_record or moment < self._on_record[key]:
            self._found[key].append((moment, value))

    def at(self, moment: dt.datetime, source_id: int, name: str) -> Any:
        """``daily_cap`` or ``price_adjustment`` of the source at that moment."""
        found = self._found.get((source_id, name), ())
        place = bisect_right(found, moment, key=lambda step: step[0])
        if place == len(found):
            return self._today[source_id, name]
        value = found[place][1]
        return None if value is None else _TYPED[name](str(value))

    def paused_at(self, moment: dt.datetime, source_id: int) -> bool:
        """Whether it is on record that the source was paused then."""
        found = self._found.get((source_id, _STATUS), ())
        later = [value for at, value in found if at > moment]
        stood = later[0] if later else self._today[source_id, _STATUS]
        return bool(found) and stood == Source.Status.PAUSED

    def resumed_after(self, moment: dt.datetime, source_id: int) -> dt.datetime | None:
        """When the source that was paused at that moment was active again."""
        return next((at for at, _ in self._found.get((source_id, _STATUS), ()) if at > moment), None)


def load(rule: Rule, days: int, now: dt.datetime, most: int | None) -> Past:
    """Everything that bears on the rule in the last ``days`` days. BadRule, TooMuch."""
    if faults := actions.faults_of(rule):
        raise BadRule(" ".join(faults.values()))
    last = today_of(rule.flow, now)
    first = last - dt.timedelta(days=max(days, 1) - 1)
    zone = zoneinfo.ZoneInfo(rule.flow.timezone)
    start = dt.datetime.combine(first, MIDNIGHT, zone)
    deliveries = _bearing(rule, first, start, now)
    if most is not None and (count := deliveries.count()) > most:
        raise TooMuch(count)
    listed, list_name = _listed(rule, start)
    sources = {row.pk: row for row in Source.objects.filter(flow=rule.flow)}
    changes = _changes(rule)
    standing = Standing(sources.values(), changes, _recorded(rule))
    resumed = _set_back(sources.values(), standing, start)
    return Past(
        rule=rule,
        zone=zone,
        first=first,
        last=last,
        now=now,
        items=_items(rule, deliveries, now),
        sources=sources,
        resumed=resumed,
        standing=standing,
        buyers={buyer.pk: buyer for buyer in Buyer.objects.filter(seller=rule.flow.seller_id)},
        left_out={buyer.pk: buyer.name for buyer in rule.excluded_buyers.all()},
        pauses=[each for each in changes if each.action == "pause_source"],
        listed=listed,
        list_name=list_name,
        real=Decision.objects.filter(rule=rule.pk, decided_at__range=(start, now)).count(),
    )


def _set_back(sources: Iterable[Source], standing: Standing, start: dt.datetime) -> dict[int, dt.datetime]:
    """Let the rows stand as the sources did then. → when those that were paused then were active again."""
    resumed = {}
    for source in sources:
        for name in _TYPED:
            setattr(source, name, standing.at(start, source.pk, name))
        paused = standing.paused_at(start, source.pk)
        source.status_reason = ""
        source.status = Source.Status.PAUSED if paused else Source.Status.ACTIVE
        if paused and (moment := standing.resumed_after(start, source.pk)):
            resumed[source.pk] = moment
    return resumed


def done_at(decision: Decision) -> dt.datetime:
    """When a decision took effect: a suggestion did once it was approved."""
    return decision.answered_at or decision.decided_at


def _bearing(rule: Rule, first: dt.date, start: dt.datetime, now: dt.datetime) -> QuerySet[Delivery]:
    """The deliveries of these days, and the earlier ones that were counted or came back in them."""
    rows = Delivery.objects.filter(flow=rule.flow, delivered_at__lte=now)
    if rule.trigger == Rule.Trigger.QUALITY:
        earliest, _ = condition_of(rule).days(first)
        return rows.filter(delivered_on__gte=min(earliest, first))
    came_back = Feedback.objects.filter(delivery__flow=rule.flow, received_at__gte=start).values("delivery")
    return rows.filter(Q(delivered_on__gte=first) | Q(pk__in=came_back))


def _items(rule: Rule, deliveries: QuerySet[Delivery], now: dt.datetime) -> list[Sold | Said]:
    """In the order in which they became known; what came later than ``now`` is left out."""
    events = Feedback.objects.filter(delivery__in=deliveries.values("pk"), received_at__lte=now).values_list(
        "delivery", "received_at", "values", "occurred_at", "pk", "retracts"
    )
    said = [
        Said(pk, received, Event(_telling(values), occurred, order, retracts=retracts))
        for pk, received, values, occurred, order, retracts in events.iterator(chunk_size=5_000)
    ]
    heard: dict[int, dt.datetime] = {}
    for each in said:
        heard[each.delivery_id] = min(each.known_at, heard.get(each.delivery_id, each.known_at))
    sold = [_sold(row, heard) for row in _columns(rule, deliveries).iterator(chunk_size=5_000)]
    return sorted([*sold, *said], key=_order)


def _order(item: Sold | Said) -> tuple[dt.datetime, int, int]:
    if isinstance(item, Sold):
        return item.known_at, 0, item.pk
    return item.known_at, 1, item.event.order


_READ = (
    "pk",
    "public_id",
    "source",
    "buyer",
    "delivered_at",
    "delivered_on",
    "price",
    "conversion_status",
    "revenue",
)


def _columns(rule: Rule, deliveries: QuerySet[Delivery]) -> QuerySet[Delivery, Any]:
    """Contacts are read only where the rule is about them."""
    contact = ("lead__email_normalised", "lead__phone_e164") if rule.action == "suppress_contact" else ()
    return deliveries.order_by().values_list(*_READ, *contact)


def _sold(row: Sequence[Any], heard: dict[int, dt.datetime]) -> Sold:
    """Nobody can report on a lead that is not there, so it was there when the first report came."""
    pk, public_id, source, buyer, at, day, price, status, revenue, *contact = row
    return Sold(
        pk,
        public_id,
        source,
        buyer,
        min(at, heard.get(pk, at)),
        day,
        price,
        status == ConversionStatus.SOLD,
        status == ConversionStatus.PENDING,
        revenue or Decimal(0),
        *contact,
    )


def _telling(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in _TELLING}


def _changes(rule: Rule) -> list[Decision]:
    """What rules, this one or others, changed of the flow's sources."""
    columns = ("pause_source", "step_cap", "set_price_adjustment")
    done = (Decision.Status.APPLIED, Decision.Status.UNDONE)
    rows = Decision.objects.filter(flow=rule.flow, action__in=columns, status__in=done)
    return list(rows.select_related("reversed_by").order_by("decided_at", "pk"))


def _recorded(rule: Rule) -> QuerySet[SourceChange]:
    """What is on record of the flow's sources, the oldest first; not what concerned one buyer alone."""
    return SourceChange.objects.filter(source__flow=rule.flow, buyer=None).order_by("pk")


def _listed(rule: Rule, start: dt.datetime) -> tuple[dict[Value, dt.datetime | None], str]:
    """What stood on the rule's list when the first day began, and the list's name."""
    if "list" not in rule.params:
        return {}, ""
    slug = rule.params["list"]
    named = SuppressionList.objects.filter(seller=rule.flow.seller_id, slug=slug)
    stood = FilteredRelation("entries", condition=Q(entries__added_at__lt=start))
    columns = ("name", "stood__kind", "stood__value", "stood__expires_at")
    rows = list(named.annotate(stood=stood).values_list(*columns))
    if not rows:
        raise BadRule(f"There is no suppression list “{slug}”.")
    return {(kind, value): until for _, kind, value, until in rows if kind}, rows[0][0]
