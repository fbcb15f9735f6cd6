"""Sources, leads and deliveries in the admin."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.utils.timezone import now

from feedback.models import ChangeSet, Door, Feedback
from flows.models import Delivery, Lead, Source
from tests import factories as make
from tests.admin_pages import faults, filled, url


def add(client, flow, **values):
    address = url(Source, "add")
    base = {"flow": flow.pk, "name": "Facebook", "slug": "facebook", "base_price": "25"}
    return client.post(address, filled(client, address, **{**base, **values}))


def test_a_source_is_added(world, as_user):
    assert add(as_user(world.owner), world.flow, daily_cap="200", price_adjustment="1.2").status_code == 302
    source = Source.objects.get(slug="facebook")
    assert (source.status, source.daily_cap, source.base_price * source.price_adjustment) == (
        "active",
        200,
        Decimal(30),
    )


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"base_price": "-1"}, "base_price"),
        ({"base_price": "1.005"}, "base_price"),
        ({"base_price": "NaN"}, "base_price"),
        ({"price_adjustment": "-1"}, "price_adjustment"),
        ({"daily_cap": "-1"}, "daily_cap"),
        ({"slug": "not a slug"}, "slug"),
    ],
)
def test_wrong_values_are_refused_at_their_input(values, at, world, as_user):
    assert set(faults(add(as_user(world.owner), world.flow, **values))) == {at}


def test_prices_have_the_decimals_of_the_currency(world, as_user):
    yen = make.FlowFactory(seller=world.seller, currency="JPY")
    assert "JPY" in faults(add(as_user(world.owner), yen, base_price="10.5"))["base_price"][0]


def test_a_source_is_paused_and_resumed_with_a_reason(world, as_user):
    client = as_user(world.owner)
    assert client.get(url(world.source, "resume")).status_code == 404
    page = client.post(url(world.source, "pause"), {"reason": "Holiday"}, follow=True)
    assert "Holiday" in page.text
    world.source.refresh_from_db()
    assert (world.source.status, world.source.status_reason) == ("paused", "Holiday")
    client.post(url(world.source, "resume"), {"reason": ""})
    world.source.refresh_from_db()
    assert (world.source.status, world.source.status_reason) == ("active", "")


def test_many_sources_are_paused_at_once(world, as_user):
    client = as_user(world.owner)
    more = make.SourceFactory(flow=world.flow)
    ticked = {"action": "pause_many", "_selected_action": [world.source.pk, more.pk]}
    page = client.post(url(Source, "changelist"), ticked)
    assert more.name in page.text
    assert Source.objects.filter(status="paused").count() == 0
    client.post(url(Source, "changelist"), {**ticked, "apply": "1", "reason": "Audit"})
    assert set(Source.objects.values_list("status", "status_reason")) == {("paused", "Audit")}


def test_an_analyst_cannot_pause(world, as_user):
    client = as_user(world.analyst)
    assert client.post(url(world.source, "pause"), {"reason": "x"}).status_code == 403
    client.post(
        url(Source, "changelist"),
        {"action": "pause_many", "apply": "1", "_selected_action": [world.source.pk]},
    )
    world.source.refresh_from_db()
    assert world.source.status == "active"


def test_the_slug_stays_once_leads_have_come_under_it(world, as_user):
    client = as_user(world.owner)
    address = url(world.source, "change")
    assert client.post(address, filled(client, address, slug="other", name="New name")).status_code == 302
    before = world.source.slug
    world.source.refresh_from_db()
    assert (world.source.slug, world.source.name) == (before, "New name")


def test_a_source_with_leads_is_kept(world, as_user):
    answer = as_user(world.owner).post(url(world.source, "delete"), {"post": "yes"}, follow=True)
    assert "Pause it instead" in answer.text
    assert Source.objects.filter(pk=world.source.pk).exists()


@pytest.mark.parametrize(
    "term", ["evt_findme", "CRM-77", "Maria@Find.example", "(303) 555-0199", "+13035550199"]
)
def test_a_delivery_is_found_by_what_one_has_at_hand(term, world, as_user):
    lead = make.LeadFactory(
        source=world.source, email_normalised="maria@find.example", phone_e164="+13035550199"
    )
    found = make.DeliveryFactory(lead=lead, buyer=world.buyer, public_id="evt_findme", external_id="CRM-77")
    for model, row in ((Delivery, found), (Lead, lead)):
        if (model, term) == (Lead, "CRM-77"):
            continue
        response = as_user(world.owner).get(url(model, "changelist"), {"q": term})
        assert list(response.context["cl"].queryset) == [row]


def test_anothers_delivery_is_not_found(world, other_world, as_user):
    for term in (other_world.delivery.public_id, other_world.delivery.lead.email):
        response = as_user(world.owner).get(url(Delivery, "changelist"), {"q": term})
        assert other_world.delivery not in response.context["cl"].queryset


def test_a_delivery_shows_its_history_oldest_first(world, as_user):
    change_set = ChangeSet.objects.create(door=Door.PORTAL, flow=world.flow, buyer=world.buyer)
    for number in (2, 1):
        Feedback.objects.create(
            delivery=world.delivery, change_set=change_set, occurred_at=now() - dt.timedelta(hours=number),
            received_at=now(), values={"notes": f"note {number}"}, fingerprint=str(number), schema_version=1,
        )  # fmt: skip
    text = as_user(world.owner).get(url(world.delivery, "change")).text
    assert text.index("note 2") < text.index("note 1")
    assert "Portal" in text


def test_deliveries_and_leads_are_only_read(world, as_user):
    client = as_user(world.owner)
    for row in (world.delivery, world.delivery.lead):
        assert client.get(url(type(row), "add")).status_code == 403
        assert client.post(url(row, "change"), {"price": "0"}).status_code == 403
        assert client.post(url(row, "delete"), {"post": "yes"}).status_code == 403


def test_times_are_shown_in_the_sellers_time_zone(world, as_user):
    world.seller.timezone = "America/Denver"
    world.seller.save()
    world.delivery.delivered_at = dt.datetime(2026, 1, 15, 21, 30, tzinfo=dt.UTC)
    world.delivery.save()
    text = as_user(world.owner).get(url(world.delivery, "change")).text
    assert "15 Jan 2026, 14:30" in text


def test_a_long_list_is_not_counted_to_its_end(world, as_user, monkeypatch):
    from portal import capped

    monkeypatch.setattr(capped, "COUNT_LIMIT", 2)
    for _ in range(4):
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    response = as_user(world.owner).get(url(Delivery, "changelist"))
    assert response.context["cl"].result_count == 3
    assert "2+ deliveries" in response.text
