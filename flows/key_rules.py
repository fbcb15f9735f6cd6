"""What is asked of a key and said of it, for its owners' pages and the sellers' admin alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from flows.examples import curl, example_body
from flows.models import ApiKey, Flow

KINDS = ((True, "Live: records feedback and leads"), (False, "Test: checks them, records nothing"))


def usable(key: ApiKey) -> bool:
    """Whether the key still opens anything."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now())


def may_rotate(key: ApiKey) -> bool:
    return usable(key) and key.replaced_by_id is None


def state_of(key: ApiKey) -> tuple[str, str]:
    """A key's state as a word and its tone."""
    if key.revoked_at:
        return "Revoked", "bad"
    if not usable(key):
        return "Expired", "bad"
    return ("Replaced", "warn") if key.replaced_by_id else ("Active", "good")


def flows_of(key: ApiKey) -> QuerySet[Flow]:
    """The flows that the key's party works on."""
    if key.buyer_id:
        return Flow.objects.filter(agreements__buyer=key.buyer_id)
    return Flow.objects.filter(seller=key.seller_id)


def opens(key: ApiKey) -> str:
    """Which flows the key opens, in words."""
    if key.all_flows:
        return "Every flow, also those made later"
    return ", ".join(flow.name for flow in key.flows.all()) or "Nothing: its flows are gone"


def first_call(key: ApiKey, text: str) -> str:
    """A curl line that works with a new key of a buyer; "" where there is nothing to try."""
    flow = (key.flows.all() or flows_of(key)).first()
    return curl(flow, example_body(flow, flow.fields.all()), text) if flow and key.buyer_id else ""


def still_to_come(expires_at: dt.datetime | None, *, changed: bool = True) -> None:
    """ValidationError for an end that is over already; one that stood there before may stay."""
    if changed and expires_at and expires_at <= now():
        raise ValidationError("This is in the past. Leave it empty for a key that does not expire.")


def keep_the_limit(key: ApiKey, chosen: Collection[Flow], *, offered: bool, changed: bool) -> None:
    """A limit is never lifted by choosing nothing; where the flows are gone it may stay as it is."""
    if offered and changed and not (chosen or key.all_flows):
        raise ValidationError(
            "This key is limited: choose at least one flow. To open every flow, make another key."
        )


@transaction.atomic
def change(key: ApiKey, *, name: str, flows: Collection[Flow], expires_at: dt.datetime | None) -> None:
    """Another name, limit or end; a key that was limited stays limited."""
    key.name, key.expires_at = name, expires_at
    key.all_flows = key.all_flows and not flows
    key.save(update_fields=["name", "expires_at", "all_flows"])
    key.flows.set(flows)


def kind_field(**widget: Any) -> forms.TypedChoiceField:
    """Live or test, chosen once when the key is made."""
    return forms.TypedChoiceField(
        label="Kind",
        choices=KINDS,
        coerce=lambda value: value == "True",
        widget=forms.RadioSelect(attrs=widget),
        initial=True,
    )


class OverlapForm(forms.Form):
    """For how long both keys work."""

    days = forms.IntegerField(
        label="Days for which the old key goes on working",
        min_value=0,
        max_value=90,
        initial=7,
        help_text="0: it stops at once.",
    )
