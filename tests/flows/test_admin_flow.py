"""A flow in the admin: from a preset to its fields, its settings and a request that works."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from flows.models import ApiKey, Field, Flow, Rule, SuppressionList
from flows.presets import PRESETS
from tests import factories as make
from tests.admin_pages import faults, filled, url


def add(client, preset="full_revenue", **values):
    address = url(Flow, "add")
    return client.post(
        address, filled(client, address, name="Solar West", preset=preset, **values), follow=True
    )


def change(client, flow, **values):
    address = url(flow, "change")
    return client.post(address, filled(client, address, **values))


def row(flow, name):
    """The index of a field in the flow's table."""
    return list(flow.fields.values_list("name", flat=True)).index(name)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_new_flow_starts_from_a_preset(preset, world, as_user):
    response = add(as_user(world.owner), preset)
    flow = Flow.objects.get(name="Solar West")
    assert flow.seller == world.seller
    assert list(flow.fields.values_list("name", flat=True)) == [field.name for field in PRESETS[preset]]
    assert Rule.objects.filter(flow=flow).count() == 6
    assert set(SuppressionList.objects.filter(seller=world.seller).values_list("name", flat=True)) == {
        "Returns",
        "Bad Sources",
    }
    assert response.redirect_chain[-1][0] == url(flow, "change")


def test_an_unknown_preset_is_refused(world, as_user):
    assert "preset" in faults(add(as_user(world.owner), "everything"))
    assert not Flow.objects.filter(name="Solar West").exists()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_the_page_shows_a_request_that_the_schema_takes(preset, currency, world, as_user):
    from feedback.schema import compile_schema

    client = as_user(world.owner)
    add(client, preset, currency=currency)
    flow = Flow.objects.get(name="Solar West")
    text = unescape(client.get(url(flow, "change")).text)
    assert f"/flows/{flow.public_id}/feedback" in text
    body = json.loads(re.search(r"-d '(\{.*?\})'", text, re.DOTALL)[1])
    assert body["lead_id"] == "evt_test"
    from django.utils.timezone import now

    clean = compile_schema(flow).validate(body, now=now())
    assert not isinstance(clean, tuple), clean


def test_a_changed_field_raises_the_schema_version(world, as_user):
    client = as_user(world.owner)
    before = world.flow.schema_version
    index = row(world.flow, "notes")
    assert change(client, world.flow, **{f"fields-{index}-help_text": "Anything else"}).status_code == 302
    world.flow.refresh_from_db()
    assert world.flow.schema_version == before + 1
    assert change(client, world.flow, name="Renamed").status_code == 302
    world.flow.refresh_from_db()
    assert (world.flow.name, world.flow.schema_version) == ("Renamed", before + 1)


def new_field(flow, **values):
    index = flow.fields.count()
    columns = {
        "id": "",
        "flow": flow.pk,
        "position": 99,
        "kind": "text",
        "choices": "",
        "help_text": "",
        "maps_to": "",
    }
    named = {f"fields-{index}-{name}": value for name, value in {**columns, **values}.items()}
    return {"fields-TOTAL_FORMS": index + 1, **named}, f"fields-{index}"


def test_a_choice_field_is_added_with_one_choice_a_line(world, as_user):
    sent, _ = new_field(
        world.flow, name="policy_type", kind="choice", choices="auto\r\n\r\n home \r\n", required="on"
    )
    assert change(as_user(world.owner), world.flow, **sent).status_code == 302
    field = Field.objects.get(flow=world.flow, name="policy_type")
    assert (field.choices, field.required, field.position) == (["auto", "home"], True, 99)
    address = url(world.flow, "change")
    shown = filled(as_user(world.owner), address)
    assert "auto\nhome" in shown.values()


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"name": "lead_id"}, "name"),
        ({"name": "external_id"}, "name"),
        ({"name": "date"}, "name"),
        ({"name": "Policy"}, "name"),
        ({"name": "pol icy"}, "name"),
        ({"name": "policy", "kind": "outcome"}, "kind"),
        ({"name": "policy", "kind": "choice"}, "choices"),
        ({"name": "policy", "kind": "choice", "choices": "a\na"}, "choices"),
        ({"name": "policy", "kind": "text", "choices": "a"}, "choices"),
        ({"name": "policy", "maps_to": "Not A Name"}, "maps_to"),
    ],
)
def test_a_wrong_field_is_refused_at_its_input(values, at, world, as_user):
    sent, prefix = new_field(world.flow, **values)
    refused = faults(change(as_user(world.owner), world.flow, **sent))
    assert set(refused) == {f"{prefix}-{at}"}


def test_a_standard_name_keeps_its_type(world, as_user):
    flow = make.FlowFactory(seller=world.seller)
    sent, prefix = new_field(flow, name="revenue", kind="integer")
    assert "Money" in faults(change(as_user(world.owner), flow, **sent))[f"{prefix}-kind"][0]


def test_two_fields_of_one_name_are_refused(world, as_user):
    sent, _ = new_field(world.flow, name="notes")
    assert faults(change(as_user(world.owner), world.flow, **sent))


def test_two_fields_on_one_lead_field_are_refused(world, as_user):
    sent, _ = new_field(world.flow, name="state", maps_to="buyer_status")
    assert "buyer_status" in faults(change(as_user(world.owner), world.flow, **sent))["fields"][0]


def test_a_field_under_which_feedback_stands_keeps_its_name_and_type(world, as_user):
    client = as_user(world.owner)
    index = row(world.flow, "notes")
    world.delivery.last_feedback_at = world.delivery.delivered_at
    world.delivery.save()
    sent = {
        f"fields-{index}-name": "remarks",
        f"fields-{index}-kind": "boolean",
        f"fields-{index}-help_text": "new",
    }
    assert change(client, world.flow, **sent).status_code == 302
    field = Field.objects.get(flow=world.flow, name="notes")
    assert (field.kind, field.help_text) == ("text", "new")


def test_the_currency_is_locked_once_leads_are_delivered(world, as_user):
    client = as_user(world.owner)
    assert change(client, world.flow, currency="JPY").status_code == 302
    world.flow.refresh_from_db()
    assert world.flow.currency == "USD"
    fresh = make.FlowFactory(seller=world.seller)
    assert change(client, fresh, currency="JPY").status_code == 302
    fresh.refresh_from_db()
    assert fresh.currency == "JPY"


def test_a_flow_with_deliveries_is_not_deleted_and_says_what_to_do(world, as_user):
    client = as_user(world.owner)
    for answer in (
        client.get(url(world.flow, "delete"), follow=True),
        client.post(url(world.flow, "delete"), {"post": "yes"}, follow=True),
    ):
        assert "takes feedback" in answer.text
        assert "stays on record" in answer.text
    assert Flow.objects.filter(pk=world.flow.pk).exists()


def test_an_unused_flow_is_deleted_with_its_fields(world, as_user):
    client = as_user(world.owner)
    add(client)
    flow = Flow.objects.get(name="Solar West")
    assert client.post(url(flow, "delete"), {"post": "yes"}).status_code == 302
    assert not Field.objects.filter(flow=flow.pk).exists()


def test_a_flow_to_which_a_key_is_limited_is_not_deleted(world, as_user):
    """Whoever uses the key would find it opens less, or nothing."""
    flow = make.FlowFactory(seller=world.seller)
    key = ApiKey.objects.create(name="k", seller=world.seller, prefix="ll_live_x", digest="x")
    key.flows.add(flow)
    answer = as_user(world.owner).post(url(flow, "delete"), {"post": "yes"}, follow=True)
    assert "Revoke them first" in answer.text
    assert Flow.objects.filter(pk=flow.pk).exists()


def test_switching_feedback_off(world, as_user):
    assert change(as_user(world.owner), world.flow, feedback_enabled=None).status_code == 302
    world.flow.refresh_from_db()
    assert world.flow.feedback_enabled is False


@pytest.mark.parametrize(
    ("name", "value"),
    [("update_window_days", "0"), ("timezone", "Mars/Base"), ("country", "usa"), ("currency", "BTC")],
)
def test_wrong_settings_are_refused(name, value, world, as_user):
    flow = make.FlowFactory(seller=world.seller)
    assert name in faults(change(as_user(world.owner), flow, **{name: value}))


def test_the_list_counts_deliveries(world, as_user):
    make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    text = as_user(world.owner).get(url(Flow, "changelist")).text
    assert re.search(r'field-deliveries">2<', text)
    assert "90 days" in text


def test_an_analyst_reads_the_page_with_the_example(world, as_user):
    text = as_user(world.analyst).get(url(world.flow, "change")).text
    assert "evt_test" in text
    assert "flow_form" in text
    assert 'name="_save"' not in text
