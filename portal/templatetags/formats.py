"""Django's `date` and `intcomma`, written as the person who reads chose. Built in: nothing to load.

A template names the house's form of a date (``|date:"j M Y, H:i"``) and gets the person's form of the
same parts; any other pattern is Django's own. Stands for ``humanize`` too, so that no page can miss it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.template import defaultfilters
from django.utils import timezone

from portal import formats

register = template.Library()
Form = Callable[[Any], str]
FORMS: Mapping[str, Form] = {
    "j M Y": formats.date,
    "j M": formats.short_date,
    "H:i": formats.time,
    "j M Y, H:i": formats.date_time,
    "j M, H:i": lambda moment: f"{formats.short_date(moment)}, {formats.time(moment)}",
    "j M H:i": lambda moment: f"{formats.short_date(moment)}, {formats.time(moment)}",
    "j M Y, H:i:s": lambda moment: f"{formats.date(moment)}, {formats.time(moment, seconds=True)}",
}


@register.filter(expects_localtime=True, is_safe=False)
def date(value: Any, arg: str | None = None) -> str:
    """A date or a time in the person's form."""
    if value in (None, ""):
        return ""
    form = FORMS.get(arg or "j M Y")
    wants_time = "H" in (arg or "")
    fits = isinstance(value, dt.datetime) or (isinstance(value, dt.date) and not wants_time)
    if form is None or not fits:
        return str(defaultfilters.date(value, arg))
    return form(timezone.localtime(value) if _is_aware(value) else value)


def _is_aware(value: Any) -> bool:
    return isinstance(value, dt.datetime) and timezone.is_aware(value)


@register.filter(is_safe=True)
def intcomma(value: Any, use_l10n: bool = True) -> str:
    """``1234567`` → ``1,234,567`` or ``1.234.567``; what is no number as it is."""
    if isinstance(value, bool) or value is None:
        return str(value)
    try:
        return formats.number(value if isinstance(value, (int, float, Decimal)) else int(value))
    except (TypeError, ValueError):
        return str(value)
