"""Values that are not to be bought again: e-mails, phone numbers and sources on a seller's lists."""

from __future__ import annotations

from collections.abc import Iterable

import phonenumbers

from flows.models import Decision, Flow, Source, SuppressionEntry, SuppressionList
from portal.models import Seller

Value = tuple[str, str]  # kind (SuppressionEntry.Kind) and normalised value


def normalise_email(text: str) -> str:
    """Trimmed and lower-cased."""
    return text.strip().lower()


def normalise_phone(text: str, country: str) -> str:
    """E.164, a number without a prefix read as in ``country`` (two letters); "" when it is no number."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def source_value(flow: Flow, source: Source) -> Value:
    """How a source stands on a list."""
    return SuppressionEntry.Kind.SOURCE.value, f"{flow.public_id}/{source.slug}"


def suppressed(seller: Seller | int, values: Iterable[Value]) -> set[Value]:
    """Which of the normalised values stand on any list of the seller (a row or its key). One query."""
    wanted = {value for value in values if value[1]}
    if not wanted:
        return set()
    entries = SuppressionEntry.objects.filter(list__seller=seller, value__in={value for _, value in wanted})
    return wanted.intersection(entries.values_list("kind", "value"))


def add(to: SuppressionList, kind: str, value: str, *, reason: str, decision: Decision | None = None) -> bool:
    """Put a normalised value on a list; False where it stood there already."""
    _, created = SuppressionEntry.objects.get_or_create(
        list=to, kind=kind, value=value, defaults={"reason": reason[:255], "decision": decision}
    )
    return created


def remove(entry: SuppressionEntry) -> None:
    """Take a value off its list: it may be bought again."""
    entry.delete()
