"""The buyer's page of delivered leads: what it shows, what it hides, what may be asked of it."""

from __future__ import annotations

import datetime as dt
import html
import re
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from flows.models import Agreement, Delivery
from tests import factories as make

LEADS = "/leads/"


@pytest.fixture
def client(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def deliver(world):
    """``deliver(outcome="converted", name="Ana Souza")`` → one more delivery to the buyer."""

    def one(*, name: str = "Ana Souza", source=None, flow_days_ago: int = 2, **columns) -> Delivery:
        first, _, last = name.partition(" ")
        lead_columns = {key: columns.pop(key) for key in ("email", "phone", "phone_e164") if key in columns}
        lead = make.LeadFactory(
            source=source or world.source, first_name=first, last_name=last, **lead_columns
        )
        moment = columns.pop("delivered_at", timezone.now() - dt.timedelta(days=flow_days_ago))
        return make.DeliveryFactory(lead=lead, buyer=world.buyer, delivered_at=moment, **columns)

    return one


def ids(response) -> list[str]:
    """The deliveries on the page, in order."""
    return re.findall(r'<tr role="row" id="lead-(evt_\w+)"', response.content.decode())


def next_url(response, to: str = "next") -> str:
    """Where the pager leads."""
    return html.unescape(re.search(rf'id="page-{to}"\s+href="([^"]+)"', response.content.decode())[1])


def test_a_row_shows_the_lead_and_its_controls(client, world):
    page = client.get(LEADS).content.decode()
    lead = world.delivery.lead
    assert lead.name in page
    assert lead.email in page
    assert world.delivery.public_id in page
    assert world.source.name in page
    assert "Revenue, USD" in page
    assert f'id="outcome-{world.delivery.public_id}-control"' in page
    assert f'action="{reverse("lead-edit", args=[world.delivery.public_id])}"' in page
    assert "<noscript>" in page


def test_another_buyers_leads_are_not_there(client, world, other_world):
    neighbour = make.DeliveryFactory(lead=world.delivery.lead, flow=world.flow)
    shown = ids(client.get(LEADS))
    assert shown == [world.delivery.public_id]
    assert neighbour.public_id not in shown


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=converted", {"sold"}),
        ("outcome=none", {"fresh", "first"}),
        ("status=not_sold", {"back"}),
        ("status=sold", {"sold"}),
        ("feedback=waiting", {"fresh", "first"}),
        ("feedback=given", {"sold", "back"}),
        ("outcome=returned&status=not_sold", {"back"}),
        ("outcome=duplicate", set()),
    ],
)
def test_filters(client, world, deliver, query, expected):
    named = {
        "first": world.delivery,
        "fresh": deliver(),
        "sold": deliver(outcome="converted", conversion_status="sold", feedback_count=1),
        "back": deliver(outcome="returned", conversion_status="not_sold", feedback_count=2),
    }
    response = client.get(f"{LEADS}?{query}")
    assert set(ids(response)) == {named[name].public_id for name in expected}


def test_a_closed_window_waits_for_nothing(client, deliver):
    old = deliver(flow_days_ago=91)
    assert old.public_id not in ids(client.get(f"{LEADS}?feedback=waiting"))


def test_dates_are_days_in_the_persons_time_zone(client, world, deliver):
    world.buyer.timezone = "America/Denver"  # UTC−7 in January
    world.buyer.save()
    before = deliver(delivered_at=dt.datetime(2026, 1, 15, 6, 59, tzinfo=dt.UTC))  # the 14th in Denver
    inside = deliver(delivered_at=dt.datetime(2026, 1, 15, 7, 0, tzinfo=dt.UTC))
    last = deliver(delivered_at=dt.datetime(2026, 1, 16, 6, 59, tzinfo=dt.UTC))
    after = deliver(delivered_at=dt.datetime(2026, 1, 16, 7, 0, tzinfo=dt.UTC))
    shown = ids(client.get(f"{LEADS}?delivered_from=2026-01-15&delivered_to=2026-01-15"))
    assert set(shown) == {inside.public_id, last.public_id}
    assert before.public_id not in shown
    assert after.public_id not in shown


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
def test_dates_at_the_ends_of_time(client, date):
    assert client.get(f"{LEADS}?delivered_from={date}").status_code == 200
    assert client.get(f"{LEADS}?delivered_to={date}").status_code == 200


def test_only_sources_of_this_buyers_leads_are_offered(client, world, deliver):
    mine = make.SourceFactory(flow=world.flow, name="Quotewise", slug="quotewise")
    make.SourceFactory(flow=world.flow, name="Nobody's")
    theirs = make.SourceFactory(flow=world.flow, name="Theirs only")
    make.DeliveryFactory(lead__source=theirs)
    lead = deliver(source=mine)
    page = client.get(LEADS).content.decode()
    assert "Nobody&#x27;s" not in page
    assert "Theirs only" not in page
    assert ids(client.get(f"{LEADS}?source=quotewise")) == [lead.public_id]


@pytest.mark.parametrize(
    "text",
    [
        "ana souza",
        "Souza Ana",
        "souz",
        "ANA@example.org",
        "(303) 555-0142",
        "303.555.0142",
        "+1 303 555 0142",
        "555-0142",
        "CRM_12",
        "crm_12345",
    ],
)
def test_free_text_finds_by_name_email_phone_and_ids(client, deliver, text):
    lead = deliver(
        name="Ana Souza",
        email="ana@example.org",
        phone="303-555-0142",
        phone_e164="+13035550142",
        external_id="CRM_12345",
    )
    assert ids(client.get(LEADS, {"q": text})) == [lead.public_id]


def test_free_text_finds_by_lead_id(client, world, deliver):
    lead = deliver()
    assert ids(client.get(LEADS, {"q": f" {lead.public_id} "})) == [lead.public_id]


@pytest.mark.parametrize("text", ["%", "_", "x\0y", "\ud83d", "'; DROP TABLE", "9" * 200, "()"])
def test_strange_texts_find_nothing_and_break_nothing(client, text):
    response = client.get(LEADS, {"q": text.encode("utf-8", "surrogatepass")})
    assert response.status_code == 200


def test_what_the_agreement_hides_is_not_in_the_page_nor_searched_nor_sorted_by(client, world):
    Agreement.objects.update(shows_contact=False, shows_source=False, shows_price=False)
    delivery = world.delivery
    lead = delivery.lead
    for url in (LEADS, reverse("lead-detail", args=[delivery.public_id])):
        page = client.get(url).content.decode()
        assert delivery.public_id in page
        for hidden in (lead.last_name, lead.email, lead.phone, world.source.name, "20.00"):
            assert hidden not in page, (url, hidden)
    for text in (lead.last_name, lead.email, "512 555 1212"):
        assert ids(client.get(LEADS, {"q": text})) == []
    plain = client.get(LEADS).content.decode()
    assert 'name="source"' not in plain
    assert 'id="sort-lead"' not in plain
    assert ids(client.get(f"{LEADS}?source={world.source.slug}")) == [delivery.public_id]  # no such filter


def test_a_delivery_without_an_agreement_shows_only_its_id(client, world):
    Agreement.objects.all().delete()
    page = client.get(f"{LEADS}?show=all").content.decode()
    assert world.delivery.public_id in page
    assert world.delivery.lead.email not in page


def test_look_ups_of_ones_own_are_ignored(client, world):
    queries = ("lead__email__startswith=zzz", "buyer=999", "_connector=OR", "flow__seller__name=x")
    for query in queries:
        assert ids(client.get(f"{LEADS}?{query}")) == [world.delivery.public_id]


def test_every_flow_is_a_choice_once_there_are_several(client, world):
    assert 'name="flow"' not in client.get(LEADS).content.decode()
    second = make.FlowFactory(seller=world.seller, name="Solar", currency="EUR")
    make.standard_fields(second, "outcome", "revenue")
    lead = make.DeliveryFactory(lead__source__flow=second, buyer=world.buyer)
    page = client.get(LEADS).content.decode()
    assert 'name="flow"' in page
    assert "Revenue, USD" not in page  # two currencies: each stands in its cell
    assert "EUR" in page
    assert ids(client.get(f"{LEADS}?flow={second.public_id}")) == [lead.public_id]


def test_the_fields_of_the_flow_decide_what_can_be_set(client, world):
    simple = make.FlowFactory(seller=world.seller)
    make.standard_fields(simple, "converted")
    lead = make.DeliveryFactory(lead__source__flow=simple, buyer=world.buyer)
    page = client.get(LEADS).content.decode()
    assert f'id="converted-{lead.public_id}-control"' in page
    for absent in ("outcome", "quality_score", "revenue"):
        assert f'id="{absent}-{lead.public_id}' not in page


def test_sorting_and_pages_stand_in_the_address(client, world, deliver):
    for number in range(60):
        deliver(revenue=Decimal(number), flow_days_ago=3)
    best = client.get(f"{LEADS}?sort=-revenue").content.decode()
    assert 'value="59.00"' in best
    assert 'value="1.00"' not in best
    second = client.get(next_url(client.get(f"{LEADS}?sort=-revenue")))
    assert ids(second)[-1] == world.delivery.public_id  # without revenue: last
    assert "sort=-revenue" in second.content.decode()


def test_htmx_gets_the_table_alone_and_back_gets_the_page(client):
    part = client.get(LEADS, headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    assert b'id="table-region"' in part.content
    assert b'id="lead-tabs"' in part.content
    assert "HX-Request" in part["Vary"]
    back = client.get(LEADS, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert b"<html" in back.content


def test_tabs_are_links_and_the_current_one_is_marked(client):
    page = client.get(f"{LEADS}?show=converted").content.decode()
    current = re.search(r'<a id="tab-converted"[^>]*>', page).group()
    assert 'aria-current="page"' in current
    assert page.count('aria-current="page"') == 2  # and the page's own in the rail


def test_the_two_kinds_of_nothing(client, world):
    nothing = client.get(f"{LEADS}?outcome=duplicate").content.decode()
    assert "Nothing matches these filters" in nothing
    assert "Clear filters" in nothing
    Delivery.objects.update(feedback_count=1)
    assert "Nothing is due" in client.get(LEADS).content.decode()
    assert "No leads here" in client.get(f"{LEADS}?show=returned").content.decode()
    Delivery.objects.update(buyer=make.BuyerFactory(seller=world.seller))
    assert "No leads yet" in client.get(LEADS).content.decode()


@pytest.mark.parametrize(
    ("age", "expected"),
    [(dt.timedelta(days=89, hours=12), "11 h left"), (dt.timedelta(days=91), "closed")],
)
def test_how_long_feedback_is_taken(client, world, deliver, age, expected):
    lead = deliver(delivered_at=timezone.now() - age)
    page = client.get(f"{LEADS}?show=all").content.decode()
    assert expected in page.split(f'id="due-{lead.public_id}"')[1].split("<form")[0]


def test_controls_are_disabled_with_the_reason_where_nothing_can_be_told(client, world, deliver):
    closed = deliver(flow_days_ago=91)
    control = re.search(
        rf'<select id="outcome-{closed.public_id}-control"[^>]*>',
        client.get(f"{LEADS}?show=all").content.decode(),
    ).group()
    assert "disabled" in control
    assert "90 days after the delivery" in control
    world.flow.feedback_enabled = False
    world.flow.save()
    page = client.get(f"{LEADS}?show=all").content.decode()
    assert "does not take feedback" in page
    assert "hx-post" not in page


def test_the_number_of_queries_does_not_grow_with_the_rows(
    client, world, deliver, django_assert_max_num_queries
):
    for _ in range(40):
        deliver()
    client.get(LEADS)  # compiles the schema
    with django_assert_max_num_queries(13):
        client.get(LEADS)


def test_a_seller_finds_no_such_page(world, as_user):
    assert as_user(world.owner).get(LEADS).status_code == 404


def test_the_rail_says_how_many_wait(client, world):
    assert "1 due" in client.get("/uploads/").content.decode()
    Delivery.objects.update(feedback_count=1)
    assert "due" not in client.get("/uploads/").content.decode()
