"""Amounts in a flow's currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from flows.models import Source


def rounded(amount: Decimal, decimals: int) -> Decimal:
    """The amount with exactly that many decimals, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def offered_price(source: Source, decimals: int) -> Decimal:
    """What a lead of the source costs where no price is named: base price × price adjustment, rounded."""
    return rounded(source.base_price * source.price_adjustment, decimals)


def money_text(amount: Decimal, decimals: int) -> str:
    """As the API writes it: ``"25.00"`` for dollars, ``"25"`` for yen."""
    return str(rounded(amount, decimals))
