"""What other pages say of a lead's return: ``{% load returns_words %}``."""

from __future__ import annotations

from django import template

from feedback.desk import Sheet
from feedback.returns.terms import Offer, offer_of

register = template.Library()


@register.simple_tag
def return_offer(sheet: Sheet) -> Offer:
    """Whether the lead can be returned, and whether it was: at most three queries."""
    return offer_of(sheet.delivery, sheet.flow, sheet.agreement, sheet.now)
