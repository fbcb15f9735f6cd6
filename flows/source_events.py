"""What endpoints are told when a source changes: by a rule, by who takes that back, or by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from flows.events import emit
from flows.models import Decision, Flow, Source, SourceChange
from flows.money import money_text
from portal.models import Buyer, User

COLUMNS = ("status", "status_reason", "daily_cap", "base_price", "price_adjustment")
PRICE = ("base_price", "price_adjustment")
State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """``before`` and ``after``: of `COLUMNS` those that may differ; of a buyer's standing, its status.

    ``by``: how it came about; ``user``: who did, approved or undid it; ``decision``: what did it, or was
    undone.
    """

    flow: Flow
    source: Source  # as it stands now
    before: State
    after: State
    buyer: Buyer | None = None
    by: SourceChange.By = SourceChange.By.HAND
    user: User | None = None
    decision: Decision | None = None

    @property
    def rule(self) -> str:
        """The rule that decided it by itself; "": a person."""
        alone = self.by == SourceChange.By.DECISION and self.user is None
        return self.decision.rule_name if self.decision and alone else ""


def columns_of(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in COLUMNS}


def announce(changes: Sequence[Difference], *, now: dt.datetime) -> None:
    """Tell of what differs, in the transaction of the change; a query for each seller and type concerned."""
    told: dict[tuple[int, str], list[Difference]] = {}
    for change in changes:
        for type_ in _types(change):
            told.setdefault((change.flow.seller_id, type_), []).append(change)
    for (seller_id, type_), of_type in told.items():
        emit(seller_id, type_, partial(_all_data, type_, of_type), now=now)


def _types(change: Difference) -> list[str]:
    types = []
    if differs(change, ("status",)):
        paused = change.after["status"] == Source.Status.PAUSED
        types.append("source.paused" if paused else "source.resumed")
    if differs(change, ("daily_cap",)):
        types.append("source.cap_changed")
    if differs(change, PRICE):
        types.append("source.price_changed")
    return types


def differs(change: Difference, names: Sequence[str]) -> bool:
    """Whether one of these columns has another value now."""
    return any(
        _typed(name, change.before.get(name)) != _typed(name, change.after.get(name))
        for name in names
        if name in change.after
    )


def _typed(name: str, value: Any) -> Any:
    return Decimal(str(value)) if name in PRICE and value is not None else value


def _all_data(type_: str, changes: Sequence[Difference]) -> list[dict[str, Any]]:
    return [_data(type_, change) for change in changes]


def _data(type_: str, change: Difference) -> dict[str, Any]:
    told = {
        "flow_id": change.flow.public_id,
        "source": change.source.slug,
        "name": change.source.name,
        "rule": change.rule or None,
    }
    if type_ == "source.cap_changed":
        before, after = ({"daily_cap": state["daily_cap"]} for state in (change.before, change.after))
        return {**told, "before": before, "after": after}
    if type_ == "source.price_changed":
        before, after = (_price(change, state) for state in (change.before, change.after))
        return {**told, "currency": change.flow.currency, "before": before, "after": after}
    reason = change.after.get("status_reason") or None
    return {**told, "buyer_id": change.buyer.public_id if change.buyer else None, "reason": reason}


def _price(change: Difference, state: State) -> dict[str, str]:
    base, adjustment = (Decimal(str(state.get(name, getattr(change.source, name)))) for name in PRICE)
    decimals = change.flow.decimals
    return {
        "price": money_text(base * adjustment, decimals),
        "base_price": money_text(base, decimals),
        "price_adjustment": f"{adjustment.normalize():f}",
    }
