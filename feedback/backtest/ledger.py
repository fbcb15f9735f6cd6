"""The cells (source, buyer, delivery day) as they stood at a moment of the past. Pure.

Stored cells are recomputed, never changed by a difference. Here, in memory, a delivery's old share is taken
off and its new one added: in whole numbers (money in thousandths), so that nothing is ever rounded.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from feedback.fold import Event, State, fold
from feedback.metrics import COLUMNS, Totals
from flows.models import ConversionStatus, Outcome
from flows.sequences import SCORES

THOUSAND = 1000
_MONEY = frozenset({"revenue", "commission", "cost"})
Share = list[int]  # the columns of Totals, then how many of each score
_WIDTH = len(COLUMNS) + len(SCORES)
_PLACE = {name: place for place, name in enumerate(COLUMNS)}
SILENT = State()


@dataclass(frozen=True, slots=True)
class Sold:
    """A delivery. ``known_at``: from when on it counts. What became of it by now: ``converted``, ``pending``,
    ``revenue``."""

    pk: int
    public_id: str
    source_id: int
    buyer_id: int
    known_at: dt.datetime
    day: dt.date
    price: Decimal
    converted: bool = False
    pending: bool = True
    revenue: Decimal = Decimal(0)
    email: str = ""
    phone: str = ""


class Said(NamedTuple):
    """An event on a delivery, and when it was received."""

    delivery_id: int
    known_at: dt.datetime
    event: Event


class Ledger:
    """Deliveries and events go in as they became known; sums come out."""

    def __init__(self) -> None:
        self.sold: dict[int, Sold] = {}
        self._events: dict[int, list[Event]] = defaultdict(list)
        self._shares: dict[int, Share] = {}
        self._cells: dict[int, dict[dt.date, dict[int, Share]]] = defaultdict(dict)

    def deliver(self, sold: Sold) -> None:
        """A lead was sold."""
        self.sold[sold.pk] = sold
        self._stand(sold, share_of(SILENT, sold.price))

    def hear(self, said: Said) -> State:
        """Feedback came in on a delivery that is in the books. → as what it stands now."""
        events = self._events[said.delivery_id]
        events.append(said.event)
        state, sold = fold(events), self.sold[said.delivery_id]
        self._stand(sold, share_of(state, sold.price))
        return state

    def sums(
        self, source_id: int, first: dt.date, last: dt.date
    ) -> dict[int, tuple[Totals, tuple[int, ...]]]:
        """The source's totals on these delivery days, and how often each score was given, by buyer."""
        found: dict[int, Share] = {}
        for day, buyers in self._cells[source_id].items():
            if first <= day <= last:
                for buyer, share in buyers.items():
                    before = found.get(buyer)
                    found[buyer] = (
                        share if before is None else [a + b for a, b in zip(before, share, strict=True)]
                    )
        return {buyer: (totals_of(share), tuple(share[len(COLUMNS) :])) for buyer, share in found.items()}

    def days(self, source_id: int, first: dt.date, last: dt.date) -> dict[dt.date, dict[int, Totals]]:
        """The source's totals of each of these delivery days, by buyer."""
        return {
            day: {buyer: totals_of(share) for buyer, share in buyers.items()}
            for day, buyers in self._cells[source_id].items()
            if first <= day <= last
        }

    def cells(self) -> Mapping[tuple[int, int, dt.date], Totals]:
        """Every cell: what the stored ones would have been at this moment."""
        return {
            (source, buyer, day): totals_of(share)
            for source, days in self._cells.items()
            for day, buyers in days.items()
            for buyer, share in buyers.items()
        }

    def _stand(self, sold: Sold, share: Share) -> None:
        cell = self._cells[sold.source_id].setdefault(sold.day, {}).setdefault(sold.buyer_id, [0] * _WIDTH)
        before = self._shares.get(sold.pk)
        for place, new in enumerate(share):
            cell[place] += new - before[place] if before else new
        self._shares[sold.pk] = share


def share_of(state: State, price: Decimal) -> Share:
    """What one delivery adds to its cell: as ``feedback.cells.FROM_DELIVERIES`` counts it."""
    share = [0] * _WIDTH

    def put(name: str, value: int) -> None:
        share[_PLACE[name]] = value

    put("delivered", 1)
    put("with_feedback", int(state.feedback_count > 0))
    if state.conversion_status == ConversionStatus.SOLD:
        put("converted", 1)
    elif state.outcome and state.outcome != Outcome.CONVERTED:
        put(state.outcome, 1)
    if state.quality_score is not None:
        score = state.quality_score
        put("quality_count", 1)
        put("quality_sum", score)
        put("quality_squares", score * score)
        share[len(COLUMNS) + score - 1] = 1
    revenue = _thousandths(state.revenue)
    put("revenue", revenue)
    put("revenue_squares", revenue * revenue)
    put("commission", _thousandths(state.commission))
    put("cost", _thousandths(price))
    return share


def totals_of(share: Share) -> Totals:
    """A sum of shares in the units of cells."""
    values: dict[str, int | float | Decimal] = {name: share[place] for name, place in _PLACE.items()}
    for name in _MONEY:
        values[name] = Decimal(share[_PLACE[name]]) / THOUSAND
    values["revenue_squares"] = share[_PLACE["revenue_squares"]] / THOUSAND**2
    return Totals(**values)  # type: ignore[arg-type]  # each in its own type


def _thousandths(amount: Decimal | None) -> int:
    return 0 if amount is None else int((amount * THOUSAND).to_integral_value())
