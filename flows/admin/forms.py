"""Form fields and cells that several admin pages share."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows.models.config import CURRENCY_DECIMALS


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs["widget"] = forms.Textarea(attrs={"rows": rows, "cols": 24})
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The lines without their outer space; empty lines are none."""
        text = super().to_python(value) or ""
        if "\x00" in text:
            raise ValidationError("Null characters are not allowed.")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


def money(amount: Decimal | None, currency: str) -> str:
    """``"20.00 USD"`` on one line, or "–" where there is no amount."""
    return "–" if amount is None else f"{amount:,.{CURRENCY_DECIMALS[currency]}f}\N{NO-BREAK SPACE}{currency}"


def plain(number: Decimal) -> Decimal:
    """Without the zeros that a column's scale appends: 1.2000 → 1.2, and 20.000 → 20."""
    whole = number.to_integral_value()
    return whole if number == whole else number.normalize()


def pill(tone: str, label: str) -> SafeString:
    """A state as a dot and a word. ``tone``: good, warn, bad, info or neutral."""
    return format_html('<span class="pill pill--{}">{}</span>', tone, label)


def code(text: str) -> SafeString:
    """An identifier, in its own letters."""
    return format_html('<span class="code">{}</span>', text)


def as_json(value: Any) -> SafeString:
    """A JSON value to read; "–" for an empty one."""
    if not value:
        return SafeString("–")
    return format_html('<pre class="json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))
