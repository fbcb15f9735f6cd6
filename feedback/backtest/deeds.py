"""What a rule's action would have changed in a replay, and which leads would not have been bought then.

The plans are those of the actions themselves; what they would write is kept here, on rows that are not saved.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal

from feedback.backtest.ledger import Sold
from feedback.backtest.past import Past, Value, done_at
from feedback.backtest.result import Firing
from flows import actions
from flows.actions.alerts import TOLD
from flows.actions.base import Change, State, Target
from flows.actions.entries import outlasts
from flows.actions.lists import ListAction
from flows.actions.sources import Holder, SourceAction, put, same, state_of
from flows.models import Decision, Source, SourceBuyer, SuppressionEntry
from flows.suppression import source_value

Key = tuple[int, int | None]


class Deed:
    """An action that changes nothing which leads are bought: a bonus.

    ``lasts``: whether what it did is over as soon as its condition is.
    """

    lasts = False

    def __init__(self, past: Past) -> None:
        self.past = past
        self.action = actions.get(past.rule.action)
        self.params = self.action.clean(past.rule.params)
        self.standing: dict[Key, list[tuple[Firing, Change]]] = defaultdict(list)  # the last to stand last

    def change(self, target: Target, at: dt.datetime) -> Change | None:
        """What the action would change; None: nothing."""
        (planned,) = self.action.plan(self.past.rule, [target], self.params)
        return planned

    def do(self, target: Target, change: Change, firing: Firing) -> None:
        """Let it stand from now on."""
        if "bonus" in change.after:
            firing.effect.bonus = Decimal(change.after["bonus"])
        self.standing[target.key].append((firing, change))

    def take_back(self, key: Key) -> Change:
        """Let the last that stands there stand no more. → what that changes."""
        _, change = self.standing[key].pop()
        return Change(change.after, change.before)

    def keeps_out(self, sold: Sold) -> Firing | None:
        """Which firing would have kept the lead out, if one would have."""
        return None

    def reprices(self, sold: Sold) -> None:
        """A lead was bought: what it would have cost, is noted with the firing that stands."""


class Alerting(Deed):
    """Tells of a state, once as long as it lasts; of a delivery, each time."""

    lasts = True

    def change(self, target: Target, at: dt.datetime) -> Change | None:
        return None if self.standing.get(target.key) and target.delivery is None else TOLD


class OnColumns(Deed):
    """Changes columns of the source, or of its standing with one buyer."""

    action: SourceAction

    def __init__(self, past: Past) -> None:
        super().__init__(past)
        self.pairs: dict[Key, SourceBuyer] = {}

    def holder(self, key: Key) -> Holder:
        source, buyer = key
        if buyer is None:
            return self.past.sources[source]
        return self.pairs.setdefault(key, SourceBuyer(source_id=source, buyer_id=buyer))

    def change(self, target: Target, at: dt.datetime) -> Change | None:
        row = self.holder(target.key)
        before = state_of(row, self.action.columns)
        after = self.action.wanted(row, self.params, target.reason)
        return None if after is None or same(before, after) else Change(before, after)

    def do(self, target: Target, change: Change, firing: Firing) -> None:
        super().do(target, change, firing)
        put(self.holder(target.key), change.after)

    def take_back(self, key: Key) -> Change:
        change = super().take_back(key)
        put(self.holder(key), change.after)
        return change

    def last(self, *keys: Key) -> Firing | None:
        """The firing that stands for one of these."""
        return next((self.standing[key][-1][0] for key in keys if self.standing.get(key)), None)


class Pausing(OnColumns):
    def keeps_out(self, sold: Sold) -> Firing | None:
        return self.last((sold.source_id, None), (sold.source_id, sold.buyer_id))


class Capping(OnColumns):
    """Above a lower cap no leads are bought that day. What a higher one would have let in, nobody knows."""

    def __init__(self, past: Past) -> None:
        super().__init__(past)
        self.bought: Counter[tuple[int, dt.date]] = Counter()

    def keeps_out(self, sold: Sold) -> Firing | None:
        firing, cap = self.last((sold.source_id, None)), self.past.sources[sold.source_id].daily_cap
        if firing and cap is not None and self.bought[sold.source_id, sold.day] >= cap:
            return firing
        self.bought[sold.source_id, sold.day] += 1
        return None


class Pricing(OnColumns):
    def reprices(self, sold: Sold) -> None:
        firing = self.last((sold.source_id, None))
        stood = self.past.standing.at(sold.known_at, sold.source_id, "price_adjustment")
        if firing and stood:
            firing.effect.repriced += 1
            adjustment = Decimal(self.past.sources[sold.source_id].price_adjustment)
            firing.effect.price_change += sold.price * adjustment / stood - sold.price


class Resuming(OnColumns):
    """Only what a rule had paused then is resumed, each pause once."""

    def __init__(self, past: Past) -> None:
        super().__init__(past)
        self.pauses = past.pauses

    def change(self, target: Target, at: dt.datetime) -> Change | None:
        for pause in self.pauses:
            if (pause.source_id, pause.buyer_id) == target.key and done_at(pause) <= at < self._until(pause):
                return Change(dict(pause.after), dict(pause.before))
        return None

    def do(self, target: Target, change: Change, firing: Firing) -> None:
        Deed.do(self, target, change, firing)
        self.pauses = [
            each
            for each in self.pauses
            if (each.source_id, each.buyer_id) != target.key or done_at(each) > firing.at
        ]

    def _until(self, pause: Decision) -> dt.datetime:
        reversal = getattr(pause, "reversed_by", None)
        over = [moment for moment in (pause.undone_at, reversal and done_at(reversal)) if moment]
        return min(over, default=self.past.now + dt.timedelta(days=1))


class Listing(Deed):
    """Puts contacts or the source on a list: from then on leads with these values are not bought."""

    action: ListAction

    def __init__(self, past: Past) -> None:
        super().__init__(past)
        self.until: dict[Value, dt.datetime | None] = dict(past.listed)
        self.by: dict[Value, Firing] = {}
        self.stood: dict[Value, dt.datetime | None] = {}  # what ended sooner, where a firing stands in for it

    def change(self, target: Target, at: dt.datetime) -> Change | None:
        wanted = self.action.entries_of(target)
        added = sorted(kind for kind, value in wanted if self._falls_short((kind, value), at))
        named = {"list": self.params["list"], "list_name": self.past.list_name}
        stood: dict[str, State] = {
            kind: {} for kind, value in wanted if kind in added and self._on((kind, value), at)
        }
        before = {**named, "stood": stood} if stood else {}
        return Change(before, {**named, "added": added}) if added else None

    def do(self, target: Target, change: Change, firing: Firing) -> None:
        super().do(target, change, firing)
        for kind, value in self.action.entries_of(target):
            if kind in change.after["added"]:
                if kind in change.before.get("stood", {}):
                    self.stood[kind, value] = self.until[kind, value]
                self.until[kind, value] = self._end(firing.at)
                self.by[kind, value] = firing

    def take_back(self, key: Key) -> Change:
        gone, change = self.standing[key][-1]
        for value in [value for value, firing in self.by.items() if firing is gone]:
            del self.by[value], self.until[value]
            if value in self.stood:
                self.until[value] = self.stood.pop(value)
        made = super().take_back(key).before
        if "stood" in change.before:
            return Change(made, change.before)
        return Change(made, {**made, "added": [], "removed": made["added"]})

    def keeps_out(self, sold: Sold) -> Firing | None:
        for value in self._values(sold) if self.by else ():
            if value in self.by and self._on(value, sold.known_at):
                return self.by[value]
        return None

    def _values(self, sold: Sold) -> list[Value]:
        """By which values the lead might be on the list."""
        kind = SuppressionEntry.Kind
        source: Source = self.past.sources[sold.source_id]
        return [
            (kind.EMAIL.value, sold.email),
            (kind.PHONE.value, sold.phone),
            source_value(self.past.rule.flow, source),
        ]

    def _falls_short(self, value: Value, at: dt.datetime) -> bool:
        """Whether there is something to put there, as `ListAction.plan` sees it."""
        if not self._on(value, at):
            return True
        return outlasts(self._end(at), self.until[value]) and (self.action.renews or value not in self.by)

    def _end(self, at: dt.datetime) -> dt.datetime | None:
        days = self.params.get("expires_days")
        return at + dt.timedelta(days=days) if days else None

    def _on(self, value: Value, at: dt.datetime) -> bool:
        if value not in self.until:
            return False
        until = self.until[value]
        return until is None or until > at


_DEEDS: dict[str, type[Deed]] = {
    "alert": Alerting,
    "pause_source": Pausing,
    "resume_source": Resuming,
    "step_cap": Capping,
    "set_price_adjustment": Pricing,
    "suppress_contact": Listing,
    "suppress_source": Listing,
}


def deed_of(past: Past) -> Deed:
    """The rule's action, as a replay carries it out."""
    return _DEEDS.get(past.rule.action, Deed)(past)
