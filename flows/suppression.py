"""Values that are not to be bought again: e-mails, phone numbers and sources on a seller's lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from flows.contact_events import announce_added
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
    """The texts as values of the list, and those that are none. See `read_each`."""
    texts = list(texts)
    read = read_each(texts, to)
    wrong = [text for text, value in zip(texts, read, strict=True) if value is None]
    return [value for value in read if value is not None], wrong


def read_each(texts: Sequence[str], to: SuppressionList) -> list[Value | None]:
    """Each text as a value of the list, sources of its seller among them; None where it is none.

    One query, and that only where a text looks like a source (``flw_…/facebook``).
    """
    read: list[Value | None] = []
    for text in texts:
        try:
            read.append(read_value(text, to.country))
        except ValidationError:
            read.append(None)
    maybe = [text for text, value in zip(texts, read, strict=True) if value is None and "/" in text]
    known = _sources(maybe, to) if maybe else set()
    return [
        value or ((Kind.SOURCE.value, text.strip()) if text.strip() in known else None)
        for text, value in zip(texts, read, strict=True)
    ]


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
    """Put normalised values on a list, as `put` does, and tell endpoints of contacts among them.
    → how many were not there, or had expired."""
    now = timezone.now()
    with transaction.atomic():
        done = put(
            to,
            dict.fromkeys(values, expires_at),
            origin=origin,
            reason=reason,
            decision=decision,
            now=now,
        )
        if decision is None:  # what rules do, they tell themselves
            announce_added(to, done.changed, origin=origin, now=now)
    return done.fresh


@dataclass(frozen=True, slots=True)
class Put:
    """``fresh``: how many values were not there, or had expired. ``changed``: these, and those that stood
    there and do so for longer now; until when."""

    fresh: int
    changed: dict[Value, dt.datetime | None]


def put(
    to: SuppressionList,
    wanted: Mapping[Value, dt.datetime | None],
    *,
    origin: str,
    reason: str = "",
    decision: Decision | None = None,
    now: dt.datetime,
) -> Put:
    """Let normalised values stand on a list until these moments (None: for good), in the caller's
    transaction. A few statements.

    What stands there for longer than is asked for keeps its time. What a rule has put there and somebody else
    adds too is theirs from then on: the rule's undo leaves it.
    """
    locked(SuppressionList.objects.filter(pk=to.pk)).get()  # of two who add, the second sees the first's
    texts = {value for _, value in wanted}
    kinds = {kind for kind, _ in wanted}
    found = to.entries.filter(kind__in=kinds, value__in=texts)
    standing = {(row.kind, row.value): row for row in found if not _is_over(row, now)}
    changed = {
        value: until
        for value, until in sorted(wanted.items(), key=itemgetter(0))
        if value not in standing or _lasts_longer(until, standing[value])
    }
    taken_over = {
        value: row.expires_at
        for value, row in standing.items()
        if value in wanted and value not in changed and row.decision_id and decision is None
    }
    rows = [
        SuppressionEntry(
            list=to,
            kind=kind,
            value=value,
            reason=reason[:255],
            origin=origin,
            decision=decision,
            expires_at=until,
            added_at=now,
        )
        for (kind, value), until in sorted((changed | taken_over).items(), key=itemgetter(0))
    ]
    SuppressionEntry.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["list", "kind", "value"],
        update_fields=["expires_at", "decision", "origin", "reason", "added_at"],
        batch_size=5_000,
    )
    return Put(sum(value not in standing for value in wanted), changed)


def standing_of(
    listed: SuppressionList, values: Iterable[Value], *, now: dt.datetime | None = None
) -> set[Value]:
    """Which of the normalised values stand on the list and have not expired. One query."""
    wanted = set(values)
    rows = listed.entries.filter(value__in={value for _, value in wanted})
    return wanted.intersection(in_force(rows, now=now).values_list("kind", "value"))


def remove_all(from_list: SuppressionList, values: Iterable[Value]) -> int:
    """Take values off a list: they may be bought again. → how many stood there and had not expired."""
    wanted, now = set(values), timezone.now()
    kinds, texts = {kind for kind, _ in wanted}, {value for _, value in wanted}
    found = [
        row
        for row in from_list.entries.filter(kind__in=kinds, value__in=texts)
        if (row.kind, row.value) in wanted
    ]
    from_list.entries.filter(pk__in=[row.pk for row in found]).delete()
    return sum(not _is_over(row, now) for row in found)


def expire(entries: QuerySet[SuppressionEntry], *, now: dt.datetime | None = None) -> int:
    """Let entries hold no longer: their values may be bought again. They are kept until they are dropped as
    others that have expired, and can be added anew. → how many held until now."""
    moment = now or timezone.now()
    return in_force(entries, now=moment).update(expires_at=moment)


def remove(entry: SuppressionEntry) -> None:
    """Take a value off its list: it may be bought again."""
    entry.delete()


def _is_over(entry: SuppressionEntry, now: dt.datetime) -> bool:
    return entry.expires_at is not None and entry.expires_at <= now


def _lasts_longer(expires_at: dt.datetime | None, entry: SuppressionEntry) -> bool:
    return entry.expires_at is not None and (expires_at is None or expires_at > entry.expires_at)
