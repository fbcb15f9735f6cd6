"""Values that are not to be bought again: e-mails, phone numbers and sources on a seller's lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from flows.locks import locked
from flows.models import Decision, Flow, Source, SuppressionEntry, SuppressionList
from portal.models import Seller

Value = tuple[str, str]  # kind (SuppressionEntry.Kind) and normalised value
Kind, Origin = SuppressionEntry.Kind, SuppressionEntry.Origin
LONGEST = 254  # characters of a value


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


def read_value(text: str, country: str) -> Value:
    """An e-mail address or a phone number as it stands on a list. ValidationError where it is neither."""
    if len(text) > LONGEST or "\0" in text:
        raise ValidationError("too long, or not a text")
    if "@" in text:
        value = normalise_email(text)
        validate_email(value)
        return Kind.EMAIL.value, value
    number = normalise_phone(text, country)
    if not number:
        raise ValidationError("neither an e-mail address nor a phone number")
    return Kind.PHONE.value, number


def read_values(texts: Iterable[str], to: SuppressionList) -> tuple[list[Value], list[str]]:
    """The texts as values of the list, sources of its seller among them, and those that are none.

    One query, and that only where a text looks like a source (``flw_…/facebook``).
    """
    read: list[Value] = []
    wrong: list[str] = []
    maybe: list[str] = []
    for text in texts:
        try:
            read.append(read_value(text, to.country))
        except ValidationError:
            (maybe if "/" in text else wrong).append(text)
    known = _sources(maybe, to) if maybe else set()
    read += [(Kind.SOURCE.value, text.strip()) for text in maybe if text.strip() in known]
    return read, wrong + [text for text in maybe if text.strip() not in known]


def _sources(texts: Iterable[str], to: SuppressionList) -> set[str]:
    slugs = {text.strip().rpartition("/")[2] for text in texts if "\0" not in text}
    rows = Source.objects.filter(flow__seller=to.seller_id, slug__in=slugs).select_related("flow")
    return {source_value(row.flow, row)[1] for row in rows}


def source_value(flow: Flow, source: Source) -> Value:
    """How a source stands on a list."""
    return Kind.SOURCE.value, f"{flow.public_id}/{source.slug}"


def in_force(
    entries: QuerySet[SuppressionEntry], *, now: dt.datetime | None = None
) -> QuerySet[SuppressionEntry]:
    """The entries that have not expired."""
    moment = now or timezone.now()
    return entries.filter(Q(expires_at=None) | Q(expires_at__gt=moment))


def suppressed(
    seller: Seller | int, values: Iterable[Value], *, now: dt.datetime | None = None
) -> set[Value]:
    """Which of the normalised values stand on any list of the seller (a row or its key). One query."""
    wanted = {value for value in values if value[1]}
    if not wanted:
        return set()
    kinds, texts = {kind for kind, _ in wanted}, {value for _, value in wanted}
    entries = SuppressionEntry.objects.filter(list__seller=seller, kind__in=kinds, value__in=texts)
    return wanted.intersection(in_force(entries, now=now).values_list("kind", "value"))


def find(lists: Sequence[SuppressionList], value: Value) -> list[SuppressionEntry]:
    """The entries in force of one value on these lists, by the order of the lists. One query."""
    kind, text = value
    entries = in_force(SuppressionEntry.objects.filter(list__in=lists, kind=kind, value=text))
    order: Mapping[int, int] = {each.pk: place for place, each in enumerate(lists)}
    return sorted(entries, key=lambda entry: order[entry.list_id])


def add(to: SuppressionList, kind: str, value: str, *, reason: str, decision: Decision | None = None) -> bool:
    """Put a normalised value on a list; False where it stood there already."""
    origin = Origin.RULE if decision else Origin.PERSON
    return bool(add_all(to, [(kind, value)], reason=reason, origin=origin, decision=decision))


def add_all(
    to: SuppressionList,
    values: Iterable[Value],
    *,
    origin: str,
    reason: str = "",
    expires_at: dt.datetime | None = None,
    decision: Decision | None = None,
) -> int:
    """Put normalised values on a list. → how many were not there, or had expired. A few statements.

    What stands there for longer than is asked for keeps its time. What a rule has put there and somebody else
    adds too is theirs from then on: the rule's undo leaves it.
    """
    wanted, now = sorted(set(values)), timezone.now()
    with transaction.atomic():
        locked(SuppressionList.objects.filter(pk=to.pk)).get()  # of two who add, the second sees the first's
        texts = {value for _, value in wanted}
        kinds = {kind for kind, _ in wanted}
        found = to.entries.filter(kind__in=kinds, value__in=texts)
        standing = {(entry.kind, entry.value): entry for entry in found}
        rows = [
            SuppressionEntry(
                list=to,
                kind=kind,
                value=value,
                reason=reason[:255],
                origin=origin,
                decision=decision,
                expires_at=_later(standing.get((kind, value)), expires_at, now),
                added_at=now,
            )
            for kind, value in wanted
            if _to_write(standing.get((kind, value)), expires_at, decision, now)
        ]
        SuppressionEntry.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["list", "kind", "value"],
            update_fields=["expires_at", "decision", "origin", "reason", "added_at"],
            batch_size=5_000,
        )
    return sum(each not in standing or _is_over(standing[each], now) for each in wanted)


def _to_write(
    entry: SuppressionEntry | None,
    expires_at: dt.datetime | None,
    decision: Decision | None,
    now: dt.datetime,
) -> bool:
    """Whether what stands must change: nothing does, or it is over, ends sooner, or is only a rule's."""
    if entry is None or _is_over(entry, now) or _lasts_longer(expires_at, entry):
        return True
    return entry.decision_id is not None and decision is None


def _later(
    entry: SuppressionEntry | None, expires_at: dt.datetime | None, now: dt.datetime
) -> dt.datetime | None:
    if entry is None or _is_over(entry, now) or _lasts_longer(expires_at, entry):
        return expires_at
    return entry.expires_at


def remove_all(from_list: SuppressionList, values: Iterable[Value]) -> int:
    """Take values off a list: they may be bought again. → how many stood there."""
    wanted = set(values)
    kinds, texts = {kind for kind, _ in wanted}, {value for _, value in wanted}
    found = from_list.entries.filter(kind__in=kinds, value__in=texts).values_list("pk", "kind", "value")
    keys = [pk for pk, kind, value in found if (kind, value) in wanted]
    return from_list.entries.filter(pk__in=keys).delete()[0]


def remove(entry: SuppressionEntry) -> None:
    """Take a value off its list: it may be bought again."""
    entry.delete()


def _is_over(entry: SuppressionEntry, now: dt.datetime) -> bool:
    return entry.expires_at is not None and entry.expires_at <= now


def _lasts_longer(expires_at: dt.datetime | None, entry: SuppressionEntry) -> bool:
    return entry.expires_at is not None and (expires_at is None or expires_at > entry.expires_at)
