"""Find a lead by what a person has at hand: an id, an e-mail address, a phone number. By index, no scan."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from flows.models import Delivery, Flow, Lead
from flows.suppression import normalise_email, normalise_phone


def find_leads(leads: QuerySet[Lead], term: str, flows: Iterable[Flow]) -> QuerySet[Lead]:
    """The leads whose whole e-mail or phone, or whose delivery's id, is ``term``."""
    term = term.strip()
    by_id = Q(pk__in=Delivery.objects.filter(public_id=term).values("lead"))
    return leads.filter(by_id | contact(term, flows))


def find_deliveries(deliveries: QuerySet[Delivery], term: str, flows: Iterable[Flow]) -> QuerySet[Delivery]:
    """The deliveries whose id, buyer's own id, or lead's whole e-mail or phone is ``term``."""
    term = term.strip()
    leads = Lead.objects.filter(contact(term, flows)).values("pk")
    return deliveries.filter(Q(public_id=term) | Q(external_id=term) | Q(lead__in=leads))


def contact(term: str, flows: Iterable[Flow]) -> Q:
    """Leads of these flows with this e-mail or phone, the phone read as in each flow's country."""
    found = Q(pk__in=())
    for flow in flows:
        if "@" in term:
            found |= Q(flow=flow, email_normalised=normalise_email(term))
        elif number := normalise_phone(term, flow.country):
            found |= Q(flow=flow, phone_e164=number)
    return found
