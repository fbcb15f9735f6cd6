"""What stands in the way of a list of leads: looked up for all at once, kept up as leads are sold."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Count, Q

from flows.lead_forms import nearest
from flows.locks import locked
from flows.models import Agreement, Delivery, Flow, Source, SourceBuyer
from flows.offers import EVENT_ID, UNSTORABLE, Offer
from flows.problems import Fault
from flows.suppression import source_value, suppressed
from portal.models import Buyer

DUPLICATE_WITHIN = dt.timedelta(days=30)
SHOWN = 50  # how many allowed values a fault lists
CONTENT = ("first_name", "last_name", "email", "phone", "data")


class Standing:
    """The sources (locked), the buyers, and what is on record that bears on these offers."""

    def __init__(self, flow: Flow, offers: Sequence[Offer]) -> None:
        self.flow = flow
        self._sources = _sources(flow, offers)
        self._paused_pairs = _paused_pairs(self._sources)
        self._buyers = _buyers(flow)
        sound = [offer for offer in offers if not offer.faults and self._finds(offer)]
        self._events = _by_event_id(flow, offers)
        self._external = self._external_ids(offers)
        self._suppressed = self._suppressions(sound)
        self._contacts = self._recent_contacts(sound)
        self._counts = self._day_counts(sound)
        self._slugs: list[str] | None = None

    def source(self, offer: Offer) -> Source:
        return self._sources[offer.given.source]

    def buyer(self, offer: Offer) -> Buyer:
        return self._buyers[offer.given.buyer]

    def by_event_id(self, offer: Offer) -> Delivery | None:
        """The seller's delivery of that id. Another tenant may have the same: ids are unique in a flow."""
        return self._events.get(offer.given.event_id or "")

    def is_same(self, delivery: Delivery, offer: Offer) -> bool:
        """Whether the offer, as far as it speaks, says what the delivery was made of."""
        given = offer.given
        return (
            delivery.flow_id == self.flow.pk
            and delivery.source_id == getattr(self._sources.get(given.source), "pk", None)
            and delivery.buyer_id == getattr(self._buyers.get(given.buyer), "pk", None)
            and delivery.external_id == given.external_id
            and given.price in (None, delivery.price)
            and given.delivered_at in (None, delivery.delivered_at)
            and all(getattr(delivery.lead, name) == getattr(offer.lead, name) for name in CONTENT)
        )

    def faults(self, offer: Offer) -> Iterator[Fault]:
        """What is wrong with the offer beside its form."""
        given = offer.given
        if given.source and given.source not in self._sources:
            yield self._unknown("source", given.source, self._all_slugs(), "a source of this flow")
        if given.buyer and given.buyer not in self._buyers:
            slugs = sorted({buyer.slug for buyer in self._buyers.values()})
            yield self._unknown("buyer", given.buyer, slugs, "a buyer who buys on this flow")
        if self.by_event_id(offer):
            message = "Another lead has this event_id. Send its first content again, or another event_id."
            yield Fault("event_id", "id_mismatch", message)
        elif self._external_key(offer) in self._external:
            message = "The buyer has another lead with this external_id. Send another one, or leave it out."
            yield Fault("external_id", "id_mismatch", message)

    def is_paused(self, offer: Offer) -> bool:
        """For everybody, or for the buyer to whom the lead is offered."""
        source = self.source(offer)
        return (
            source.status == Source.Status.PAUSED or (source.pk, self.buyer(offer).pk) in self._paused_pairs
        )

    def is_full(self, offer: Offer) -> bool:
        source = self.source(offer)
        return source.daily_cap is not None and self._counts[source.pk, offer.day] >= source.daily_cap

    def is_suppressed(self, offer: Offer) -> bool:
        values = (*offer.contacts, source_value(self.flow, self.source(offer)))
        return not self._suppressed.isdisjoint(values)

    def is_duplicate(self, offer: Offer) -> bool:
        """Sold to this buyer on this flow within 30 days, before or after: files come in any order."""
        buyer = self.buyer(offer).pk
        times = (at for contact in offer.contacts for at in self._contacts[buyer, *contact])
        return any(abs(offer.delivered_at - at) <= DUPLICATE_WITHIN for at in times)

    def remember(self, delivery: Delivery, offer: Offer) -> None:
        """Let what was just sold stand in the way of what comes after it."""
        self._events[delivery.public_id] = delivery
        self._counts[delivery.source_id, offer.day] += 1
        if key := self._external_key(offer):
            self._external.add(key)
        for contact in offer.contacts:
            self._contacts[delivery.buyer_id, *contact].append(offer.delivered_at)

    def _finds(self, offer: Offer) -> bool:
        return offer.given.source in self._sources and offer.given.buyer in self._buyers

    def _external_key(self, offer: Offer) -> tuple[int, str] | None:
        buyer, name = self._buyers.get(offer.given.buyer), offer.given.external_id
        return (buyer.pk, name) if buyer and name and not UNSTORABLE.search(name) else None

    def _external_ids(self, offers: Sequence[Offer]) -> set[tuple[int, str] | None]:
        wanted = [key for key in map(self._external_key, offers) if key]
        if not wanted:
            return set()
        rows = Delivery.objects.filter(
            flow=self.flow, buyer__in={key[0] for key in wanted}, external_id__in={key[1] for key in wanted}
        )
        return {
            (buyer, external_id)
            for buyer, external_id in rows.values_list("buyer", "external_id")
            if external_id
        }

    def _suppressions(self, offers: Sequence[Offer]) -> set[tuple[str, str]]:
        values = {contact for offer in offers for contact in offer.contacts}
        values |= {source_value(self.flow, self.source(offer)) for offer in offers}
        return suppressed(self.flow.seller_id, values)

    def _recent_contacts(
        self, offers: Sequence[Offer]
    ) -> defaultdict[tuple[int, str, str], list[dt.datetime]]:
        """When which contact was sold to which buyer, around the offers' times."""
        times: defaultdict[tuple[int, str, str], list[dt.datetime]] = defaultdict(list)
        if not offers:
            return times
        rows = _sales_of(self.flow, offers, {self.buyer(offer).pk for offer in offers})
        for buyer, at, email, phone in rows:
            times[buyer, "email", email].append(at)
            times[buyer, "phone", phone].append(at)
        return times

    def _day_counts(self, offers: Sequence[Offer]) -> Counter[tuple[int, dt.date]]:
        """How many leads of each capped source were delivered on the offers' days."""
        capped = {self.source(offer).pk for offer in offers if self.source(offer).daily_cap is not None}
        if not capped:
            return Counter()
        days = {offer.day for offer in offers}
        rows = Delivery.objects.filter(source__in=capped, delivered_on__in=days)
        counted = rows.values_list("source", "delivered_on").annotate(n=Count("pk")).order_by()
        return Counter({(source, day): n for source, day, n in counted})

    def _all_slugs(self) -> list[str]:
        if self._slugs is None:
            self._slugs = list(self.flow.sources.order_by("slug").values_list("slug", flat=True))
        return self._slugs

    def _unknown(self, name: str, value: str, allowed: Sequence[str], what: str) -> Fault:
        message = f"This is not {what}. Send one of the allowed values."
        return Fault(name, "invalid_choice", message, tuple(allowed[:SHOWN]), nearest(value, allowed))


def _sources(flow: Flow, offers: Sequence[Offer]) -> dict[str, Source]:
    slugs = {offer.given.source for offer in offers if not UNSTORABLE.search(offer.given.source)}
    rows = locked(Source.objects.filter(flow=flow, slug__in=slugs).order_by("pk"))
    return {source.slug: source for source in rows}


def _paused_pairs(sources: Mapping[str, Source]) -> set[tuple[int, int]]:
    """Which of the locked sources are paused for which buyers."""
    rows = SourceBuyer.objects.filter(
        source__in=[source.pk for source in sources.values()], status=Source.Status.PAUSED
    )
    return set(rows.values_list("source_id", "buyer_id"))


def _buyers(flow: Flow) -> dict[str, Buyer]:
    """Who buys on the flow at present, by id and by slug."""
    agreements = Agreement.objects.filter(flow=flow, is_active=True).select_related("buyer")
    return {name: row.buyer for row in agreements for name in (row.buyer.slug, row.buyer.public_id)}


def _by_event_id(flow: Flow, offers: Sequence[Offer]) -> dict[str, Delivery]:
    ids = {event_id for offer in offers if EVENT_ID.fullmatch(event_id := offer.given.event_id or "")}
    if not ids:
        return {}
    rows = Delivery.objects.filter(flow__seller=flow.seller_id, public_id__in=ids).select_related("lead")
    return {row.public_id: row for row in rows}


def _sales_of(
    flow: Flow, offers: Sequence[Offer], buyers: set[int]
) -> Iterator[tuple[int, dt.datetime, str, str]]:
    emails = {offer.lead.email_normalised for offer in offers} - {""}
    phones = {offer.lead.phone_e164 for offer in offers} - {""}
    times = [offer.delivered_at for offer in offers]
    known = Q(lead__email_normalised__in=emails) | Q(lead__phone_e164__in=phones)
    rows = Delivery.objects.filter(
        known,
        flow=flow,
        lead__flow=flow,
        buyer__in=buyers,
        delivered_at__gte=min(times) - DUPLICATE_WITHIN,
        delivered_at__lte=max(times) + DUPLICATE_WITHIN,
    )
    return rows.values_list("buyer", "delivered_at", "lead__email_normalised", "lead__phone_e164").iterator()
