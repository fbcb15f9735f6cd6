"""Columns of the list: which are on offer, chosen in the address, and every kind of field set in its row."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from django.urls import reverse

from feedback.models import Feedback
from flows.models import Agreement, Field
from tests import factories as make

LEADS = "/leads/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def custom(world):
    """A field of the flow's own of every kind that the standard ones lack."""
    kinds = {"score": "decimal", "calls": "integer", "due_on": "date", "callback": "time", "line": "text"}
    for position, (name, kind) in enumerate(kinds.items(), 20):
        Field.objects.create(flow=world.flow, name=name, kind=kind, position=position)
    Field.objects.create(flow=world.flow, name="plan", kind="choice", choices=["auto", "home"], position=30)
    Field.objects.create(flow=world.flow, name="active", kind="boolean", position=31)
    return world


def heads(response) -> list[str]:
    found = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', response.content.decode(), re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", head)).strip(" ↑↓") for head in found]


def control(page: str, field: str, delivery) -> str:
    return re.search(rf'<(?:select|input|textarea) id="{field}-{delivery.public_id}-control"[^>]*>', page)[0]


def test_the_usual_columns(client, world):
    usual = ["Select", "Lead", "ID", "Source", "Delivered", "Outcome", "Quality", "Revenue, USD", "Time left"]
    assert heads(client.get(LEADS)) == usual
    assert heads(client.get(f"{LEADS}?column=nonsense")) == usual


def test_columns_are_chosen_in_the_address_and_kept_by_every_link(client, world):
    response = client.get(f"{LEADS}?column=notes&column=outcome&column=price&column=f-commission")
    assert heads(response) == ["Select", "Lead", "Paid", "Outcome", "Commission, USD", "Notes", "Time left"]
    page = html.unescape(response.content.decode())
    for link in re.findall(r'id="(?:tab-\w+|sort-\w+)"\s+href="([^"]+)"', page):
        assert "column=notes&column=outcome&column=price&column=f-commission" in link
    assert page.count('<input type="hidden" name="column"') == 4  # in the form of the filters
    assert heads(client.get(f"{LEADS}?column=notes,price")) == [
        "Select",
        "Lead",
        "Paid",
        "Notes",
        "Time left",
    ]


def test_the_form_of_columns_keeps_the_filters(client, world):
    page = client.get(f"{LEADS}?show=all&q=maria&column=notes").content.decode()
    form = page.split('id="columns-menu"')[1].split("</form>")[0]
    assert '<input type="hidden" name="q" value="maria">' in form
    assert '<input type="hidden" name="show" value="all">' in form
    assert re.search(r'value="f-notes"\s+checked', form)
    assert not re.search(r'value="outcome"\s+checked', form)


def test_what_the_agreement_hides_is_no_column(client, world):
    Agreement.objects.update(shows_price=False, shows_contact=False, shows_source=False)
    page = client.get(f"{LEADS}?column=price&column=phone&column=source&column=id").content.decode()
    for hidden in ("20.00", world.delivery.lead.phone, world.source.name, "Phone", "Paid"):
        assert hidden not in page


def test_price_and_phone_show_where_they_may(client, world):
    page = client.get(f"{LEADS}?column=price&column=phone").content.decode()
    assert "20.00 USD" in page
    assert world.delivery.lead.phone in page


@pytest.mark.parametrize(
    ("field", "control_has"),
    [
        ("outcome", "<select"),
        ("quality_score", "<select"),
        ("plan", "<select"),
        ("active", "<select"),
        ("revenue", 'inputmode="decimal"'),
        ("commission", 'inputmode="decimal"'),
        ("score", 'inputmode="decimal"'),
        ("calls", 'inputmode="decimal"'),
        ("due_on", 'type="date"'),
        ("callback", 'type="datetime-local"'),
        ("contacted_date", 'type="datetime-local"'),
        ("line", 'type="text"'),
        ("notes", "<textarea"),
        ("issues", "<textarea"),
        ("product_details", "<textarea"),
    ],
)
def test_each_kind_of_field_has_its_control(client, custom, field, control_has):
    page = client.get(f"{LEADS}?column=outcome&column=quality&column=revenue&column={field}").content.decode()
    found = control(page, field, custom.delivery)
    assert control_has in found
    assert "aria-label" in found
    assert f'form="edit-{custom.delivery.public_id}"' in found
    assert 'hx-target="closest .edit"' in found


@pytest.mark.parametrize(
    ("field", "typed", "recorded"),
    [
        ("commission", "12.50", "12.50"),
        ("score", "8.5", 8.5),
        ("calls", "3", 3),
        ("due_on", "2026-02-03", "2026-02-03"),
        ("line", "  a & b ", "a & b"),
        ("plan", "home", "home"),
        ("active", "no", False),
        ("notes", "One\r\ntwo", "One\ntwo"),
        ("issues", "late\r\nrude", ["late", "rude"]),
        ("product_details", '{"policy": "auto"}', {"policy": "auto"}),
    ],
)
def test_each_kind_is_saved_from_its_cell_and_shown_again(client, custom, field, typed, recorded):
    url = reverse("lead-edit", args=[custom.delivery.public_id])
    response = client.post(url, {"field": field, field: typed, "version": "0"}, headers=HTMX)
    assert response.status_code == 200
    assert 'data-announce="Saved.' in response.content.decode()
    value = Feedback.objects.get().values[field]
    assert (float(value) if isinstance(recorded, float) else value) == recorded
    again = client.post(url, {"field": field, field: typed, "version": "1"}, headers=HTMX)
    assert again.status_code == 200
    assert Feedback.objects.count() == 1  # the same again is nothing new
    assert client.get(f"{LEADS}?show=all&column={field}").status_code == 200


def test_a_time_is_read_and_shown_in_the_persons_time_zone(client, custom):
    custom.buyer.timezone = "America/Denver"
    custom.buyer.save()
    typed = (custom.delivery.delivered_at + dt.timedelta(hours=1)).astimezone(dt.UTC)
    local = (typed - dt.timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M:%S")
    url = reverse("lead-edit", args=[custom.delivery.public_id])
    response = client.post(
        url, {"field": "contacted_date", "contacted_date": local, "version": "0"}, headers=HTMX
    )
    assert f'value="{local}"' in response.content.decode()


@pytest.mark.parametrize(
    ("field", "typed"),
    [("calls", "many"), ("due_on", "2026-02-31"), ("product_details", "{"), ("plan", "boat"), ("score", "x")],
)
def test_a_fault_stands_beside_the_field_with_what_was_typed(client, custom, field, typed):
    url = reverse("lead-edit", args=[custom.delivery.public_id])
    response = client.post(url, {"field": field, field: typed, "version": "0"}, headers=HTMX)
    page = response.content.decode()
    assert response.status_code == 422
    assert f'id="{field}-{custom.delivery.public_id}-note"' in page
    assert 'aria-invalid="true"' in page
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("field", ["notes", "calls", "plan", "due_on"])
def test_two_tabs_never_overwrite_each_other_in_any_column(client, custom, field):
    url = reverse("lead-edit", args=[custom.delivery.public_id])
    values = {"notes": ("first", "second"), "calls": ("1", "2"), "plan": ("auto", "home"),
              "due_on": ("2026-02-01", "2026-02-02")}[field]  # fmt: skip
    first = client.post(url, {"field": field, field: values[0], "version": "0"}, headers=HTMX)
    assert first.status_code == 200
    stale = client.post(url, {"field": field, field: values[1], "version": "0"}, headers=HTMX)
    assert stale.status_code == 409
    assert "since you opened this page" in stale.content.decode()
    assert Feedback.objects.count() == 1


def test_without_javascript_the_rows_form_takes_every_column(client, custom):
    url = reverse("lead-edit", args=[custom.delivery.public_id])
    sent = {"notes": "Called twice", "calls": "2", "plan": "auto", "version": "0"}
    response = client.post(url, {**sent, "next": "/leads/?column=notes"})
    assert response["Location"].startswith("/leads/?column=notes#lead-")
    assert Feedback.objects.get().values == {"notes": "Called twice", "calls": 2, "plan": "auto"}


def test_a_field_that_the_leads_flow_lacks_is_a_dash(client, custom):
    other = make.FlowFactory(seller=custom.seller, name="Other")
    make.standard_fields(other, "outcome")
    lead = make.DeliveryFactory(lead__source__flow=other, buyer=custom.buyer)
    page = client.get(f"{LEADS}?column=plan&show=all").content.decode()
    assert f'id="plan-{custom.delivery.public_id}-control"' in page
    assert f'id="plan-{lead.public_id}-control"' not in page


def test_all_columns_at_once_cost_no_more_queries(client, custom, django_assert_max_num_queries):
    every = "&".join(f"column={name}" for name in ("notes", "calls", "plan", "issues", "price", "phone"))
    for _ in range(20):
        make.DeliveryFactory(lead__source=custom.source, buyer=custom.buyer)
    client.get(f"{LEADS}?{every}")
    with django_assert_max_num_queries(16):
        client.get(f"{LEADS}?{every}")
