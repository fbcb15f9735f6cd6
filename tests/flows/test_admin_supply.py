"""Sources, leads and deliveries in the admin."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from django.utils.timezone import now

from feedback.models import ChangeSet, Door, Feedback
from flows import keys
from flows.models import Delivery, Endpoint, Lead, OutboxMessage, Source, SourceBuyer, SourceChange
from flows.sources import pause, pause_for, save_edited
from portal.models import User
from tests import factories as make
from tests.admin_pages import faults, filled, url
from tests.flows.test_source_changes import decide


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


# --- For one buyer ---------------------------------------------------------------------------------------
def paused_pair(world, reason):
    """As a rule leaves it."""
    SourceBuyer.objects.create(source=world.source, buyer=world.buyer, status="paused", status_reason=reason)


def test_a_source_is_paused_and_resumed_for_one_buyer(world, as_user):
    client = as_user(world.owner)
    other = make.DeliveryFactory(lead__source=world.source, buyer__seller=world.seller).buyer
    assert client.get(url(world.source, "resume_for")).status_code == 404  # there is nobody to resume it for
    page = client.get(url(world.source, "change")).text
    link = f"{url(world.source, 'pause_for')}?buyer={world.buyer.pk}"
    assert link in page
    asked = client.get(link)
    assert asked.context["form"]["buyer"].value() == str(world.buyer.pk)
    assert not SourceBuyer.objects.exists()  # asking changes nothing
    answer = client.post(link, {"buyer": world.buyer.pk, "reason": "Too many returns"}, follow=True)
    assert f"{world.source} is paused for {world.buyer}" in answer.text
    assert "Too many returns" in answer.text
    pair = SourceBuyer.objects.get()
    assert (pair.buyer, pair.status, pair.status_reason) == (world.buyer, "paused", "Too many returns")
    world.source.refresh_from_db()
    assert world.source.status == "active"
    link = f"{url(world.source, 'resume_for')}?buyer={world.buyer.pk}"
    assert link in answer.text
    offered = client.get(link).context["form"].fields["buyer"].queryset
    assert list(offered) == [world.buyer] != [other]
    client.post(link, {"buyer": world.buyer.pk, "reason": ""})
    pair.refresh_from_db()
    assert (pair.status, pair.status_reason) == ("active", "")


def test_intake_routing_and_endpoints_hear_of_it_at_once(world, as_user):
    Endpoint.objects.create(seller=world.seller, name="CRM", url="https://hooks.example.com")
    router = {"X-API-Key": keys.issue(name="Router", seller=world.seller)[1]}
    client, address = as_user(world.owner), url(world.source, "pause_for")
    client.post(address, {"buyer": world.buyer.pk, "reason": ""})
    routing = client.get(f"/flows/{world.flow.public_id}/routing/{world.source.slug}", headers=router).json()
    assert (routing["status"], routing["paused_for"]) == ("active", [world.buyer.public_id])
    lead = {"source": world.source.slug, "buyer": world.buyer.public_id, "lead": {"email": "new@example.com"}}
    taken = client.post(f"/flows/{world.flow.public_id}/leads", lead, "application/json", headers=router)
    assert (taken.json()["outcome"], taken.json()["reason"]) == ("failure", "source_paused")
    client.post(url(world.source, "resume_for"), {"buyer": world.buyer.pk, "reason": "Better now"})
    taken = client.post(f"/flows/{world.flow.public_id}/leads", lead, "application/json", headers=router)
    assert taken.status_code == 201
    told = [
        (each.event, json.loads(each.payload["body"])["data"])
        for each in OutboxMessage.objects.filter(event__startswith="source.").order_by("pk")
    ]
    assert [(type_, data["buyer_id"], data["reason"], data["rule"]) for type_, data in told] == [
        ("source.paused", world.buyer.public_id, "Paused by hand", None),
        ("source.resumed", world.buyer.public_id, "Better now", None),
    ]


def test_a_pause_that_a_rule_made_for_one_buyer_is_lifted_by_hand(world, as_user):
    SourceBuyer.objects.create(
        source=world.source, buyer=world.buyer, status="paused", status_reason="8 back"
    )
    client = as_user(world.owner)
    assert "8 back" in client.get(url(world.source, "change")).text
    client.post(url(world.source, "resume_for"), {"buyer": world.buyer.pk, "reason": ""})
    assert SourceBuyer.objects.get().status == "active"


@pytest.mark.parametrize("buyer", ["", "0", "x", "other", "paused"])
def test_a_buyer_who_is_not_offered_is_refused_in_words(buyer, world, other_world, as_user):
    make.DeliveryFactory(lead__source=world.source, buyer__seller=world.seller)
    SourceBuyer.objects.create(
        source=world.source, buyer=world.buyer, status="paused", status_reason="Before"
    )
    sent = {"other": other_world.buyer.pk, "paused": world.buyer.pk}.get(buyer, buyer)
    answer = as_user(world.owner).post(url(world.source, "pause_for"), {"buyer": sent, "reason": "x"})
    assert answer.status_code == 200
    (said,) = answer.context["form"].errors["buyer"]
    assert said == "This field is required." if buyer == "" else "go back to the source" in said
    assert SourceBuyer.objects.get().status_reason == "Before"


def test_an_analyst_sees_how_it_stands_but_cannot_change_it(world, as_user):
    client = as_user(world.analyst)
    SourceBuyer.objects.create(
        source=world.source, buyer=world.buyer, status="paused", status_reason="8 back"
    )
    page = client.get(url(world.source, "change"))
    assert "8 back" in page.text
    assert "resume_for" not in page.text
    assert client.post(url(world.source, "resume_for"), {"buyer": world.buyer.pk}).status_code == 403
    assert SourceBuyer.objects.get().status == "paused"


def test_two_people_who_pause_at_once_pause_once(world):
    assert pause_for(world.source, world.buyer, "First", user=world.owner)
    assert not pause_for(world.source, world.buyer, "Second", user=world.analyst)
    assert SourceBuyer.objects.get().status_reason == "First"
    assert SourceChange.objects.count() == 1


# --- What became of it -----------------------------------------------------------------------------------
def test_its_page_tells_what_became_of_it_and_who_did_it(world, as_user):
    client, address = as_user(world.owner), url(world.source, "change")
    assert "Nothing is on record yet" in client.get(address).text
    User.objects.filter(pk=world.owner.pk).update(first_name="Ana", last_name="Lee")
    client.post(address, filled(client, address, daily_cap="90", base_price="22.50"))
    client.post(url(world.source, "pause_for"), {"buyer": world.buyer.pk, "reason": "Returns"})
    decision = decide(world, "set_price_adjustment", {"value": "1.2"}, rule="Good <b>quality")
    page = client.get(address).text
    for said in (
        "no cap → 90 a day",
        "20.00 → 22.50",
        "Ana Lee, by hand",
        f"Status for {world.buyer}",
        "Returns",
        "× 1.00 → × 1.20",
        "The rule “Good &lt;b&gt;quality”",
        f"/decisions/{decision.pk}/",
    ):
        assert said in page, said
    assert page.index("× 1.20") < page.index("Status for") < page.index("→ 90 a day")  # the latest first
    listed = client.get(url(SourceChange, "changelist"), {"source__id__exact": world.source.pk}).text
    assert "20.00 → 22.50" in listed
    assert "Ana Lee, by hand" in listed


def test_the_page_shows_the_latest_in_so_many_queries(world, as_user, django_assert_max_num_queries):
    client, address = as_user(world.owner), url(world.source, "change")
    for cap in range(1, 40):
        world.source.daily_cap = cap
        save_edited(world.source, ["daily_cap"], user=world.owner)
        make.DeliveryFactory(lead__source=world.source, buyer__seller=world.seller)
    with django_assert_max_num_queries(20):
        page = client.get(address).text
    assert ("39 a day" in page, "12 a day" in page) == (True, False)


def test_the_history_is_only_read_and_only_by_its_seller(world, other_world, as_user):
    pause(Source.objects.filter(pk=world.source.pk), "Audit", user=world.owner)
    change = SourceChange.objects.get()
    client = as_user(world.owner)
    assert client.get(url(SourceChange, "add")).status_code == 403
    page = client.get(url(change, "change"))
    assert "Audit" in page.text
    assert 'name="_save"' not in page.text
    assert client.post(url(change, "change"), {"reason": "x"}).status_code == 403
    assert client.post(url(change, "delete"), {"post": "yes"}).status_code == 403
    stranger = as_user(other_world.owner)
    assert stranger.get(url(change, "change")).status_code == 404
    assert "Audit" not in stranger.get(url(SourceChange, "changelist")).text
    assert SourceChange.objects.get().reason == "Audit"


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
