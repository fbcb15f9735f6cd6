"""Pausing a source by hand, for everybody or for one of its buyers: what is asked, and what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from flows.models import Source, SourceBuyer
from flows.sources import buyers_of, pause_for, resume_for
from portal.models import Buyer, User
from portal.object_actions import ObjectAction

Status = Source.Status


class ForBuyer(NamedTuple):
    """How a source stands with one buyer; ``url`` leads to what changes it."""

    buyer: Buyer
    paused: bool
    reason: str
    url: str


class ReasonForm(forms.Form):
    """Why a person does it."""

    reason = forms.CharField(
        max_length=200,
        required=False,
        help_text="Shown wherever the source is shown, and to routers.",
        widget=forms.TextInput(attrs={"size": 60}),
    )


class BuyerForm(ReasonForm):
    """For which buyer, and why."""

    buyer = forms.ModelChoiceField(Buyer.objects.none(), empty_label="Choose a buyer")
    field_order = ("buyer", "reason")

    def __init__(self, *args: Any, buyers: QuerySet[Buyer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ModelChoiceField[Buyer]", self.fields["buyer"])
        field.queryset = buyers
        field.error_messages["invalid_choice"] = (
            "This is not possible for this buyer any more: go back to the source to see how it stands."
        )
        self.fields["reason"].help_text = "Shown on the source's page."


@dataclass(frozen=True, slots=True)
class BuyerAction(ObjectAction):
    """Asks for one of the buyers with whom the source has this status now; ``?buyer=`` names one."""

    status: Status = Status.ACTIVE

    def form(self, request: HttpRequest, row: Source) -> forms.Form:
        sent = request.POST if request.method == "POST" else None
        named = {"buyer": request.GET.get("buyer", "")}
        return BuyerForm(sent, initial=named, buyers=buyers_with(row, self.status))


def person_of(request: HttpRequest) -> User:
    """Who is logged in; the admin lets nobody else in."""
    return cast(User, request.user)


def buyers_with(source: Source, status: Status) -> QuerySet[Buyer]:
    """The buyers with whom the source has this status."""
    paused = SourceBuyer.objects.filter(source=source, status=Status.PAUSED).values("buyer")
    buyers = buyers_of(source)
    return buyers.filter(pk__in=paused) if status == Status.PAUSED else buyers.exclude(pk__in=paused)


def buyers_shown(source: Source) -> Sequence[ForBuyer]:
    """Each buyer with how the source stands with them. Two queries."""
    pairs = {pair.buyer_id: pair for pair in source.by_buyer.all()}
    return [_shown(source, buyer, pairs.get(buyer.pk)) for buyer in buyers_of(source)]


def _shown(source: Source, buyer: Buyer, pair: SourceBuyer | None) -> ForBuyer:
    paused = pair is not None and pair.status == Status.PAUSED
    name = "resume_for" if paused else "pause_for"
    url = f"{reverse(f'admin:flows_source_{name}', args=(source.pk,))}?buyer={buyer.pk}"
    return ForBuyer(buyer, paused, pair.status_reason if pair else "", url)


def _pause_for(request: HttpRequest, source: Source, answers: dict[str, Any]) -> str:
    if not pause_for(source, answers["buyer"], answers["reason"], user=person_of(request)):
        raise ValidationError("Somebody else has just done so.")
    return f"{source} is paused for {answers['buyer']}: its leads are refused for this buyer alone."


def _resume_for(request: HttpRequest, source: Source, answers: dict[str, Any]) -> str:
    if not resume_for(source, answers["buyer"], answers["reason"], user=person_of(request)):
        raise ValidationError("Somebody else has just done so.")
    return f"{source} is active for {answers['buyer']} again."


BUYER_ACTIONS = (
    BuyerAction(
        "pause_for",
        "Pause for one buyer",
        "Its leads are refused at once for this buyer alone; the others go on buying.",
        _pause_for,
        lambda source: buyers_with(source, Status.ACTIVE).exists(),
        BuyerForm,
        severe=True,
        status=Status.ACTIVE,
    ),
    BuyerAction(
        "resume_for",
        "Resume for one buyer",
        "Its leads are taken for this buyer again, as far as the source itself is active.",
        _resume_for,
        lambda source: buyers_with(source, Status.PAUSED).exists(),
        BuyerForm,
        status=Status.PAUSED,
    ),
)
