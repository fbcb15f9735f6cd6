"""A person's preferences hold on every page of theirs, and nowhere else."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest

from feedback import stale
from feedback.quality import recompute
from flows.models import Delivery
from portal.models import User
from tests import factories as make

CHOICE = {
    "first_name": "Ana", "last_name": "Souza", "timezone": "Europe/Berlin", "number_format": "point",
    "date_format": "day", "clock": "24", "theme": "dark",
}  # fmt: skip
AT = dt.datetime(2026, 11, 24, 13, 30, tzinfo=dt.UTC)


@pytest.fixture
def german(world, as_user):
    """The agent, who reads numbers with a decimal comma and dates by day, month, year."""
    User.objects.filter(pk=world.agent.pk).update(
        timezone="Europe/Berlin", number_format="point", date_format="day"
    )
    return as_user(world.agent)


def test_what_is_chosen_is_saved_and_said(world, as_user):
    client = as_user(world.agent)
    response = client.post("/preferences/", {**CHOICE, "single_keys": "on"}, follow=True)
    assert "Your preferences are saved." in response.text
    world.agent.refresh_from_db()
    assert {name: getattr(world.agent, name) for name in CHOICE} == CHOICE
    assert world.agent.single_keys


@pytest.mark.parametrize("wrong", ["timezone", "number_format", "date_format", "clock", "theme"])
def test_nonsense_is_refused_and_nothing_is_saved(world, as_user, wrong):
    before = User.objects.filter(pk=world.agent.pk).values().get()
    response = as_user(world.agent).post("/preferences/", {**CHOICE, wrong: "nonsense"})
    assert response.status_code == 422
    assert "Nothing was saved yet." in response.text
    after = User.objects.filter(pk=world.agent.pk).values().get()
    assert {**after, "last_login": None} == {**before, "last_login": None}


def test_nobody_sets_rights_or_address_with_them(world, as_user):
    as_user(world.agent).post("/preferences/", {**CHOICE, "is_superuser": "on", "email": "x@example.com"})
    email = world.agent.email
    world.agent.refresh_from_db()
    assert (world.agent.is_superuser, world.agent.email) == (False, email)


@pytest.mark.parametrize(
    ("theme", "meta", "attribute"),
    [("system", "light dark", None), ("light", "light", "light"), ("dark", "dark", "dark")],
)
def test_colours_are_in_the_page_as_it_comes(world, as_user, theme, meta, attribute):
    User.objects.filter(pk=world.agent.pk).update(theme=theme)
    text = as_user(world.agent).get("/leads/?show=all").text
    assert re.search(rf'<meta name="color-scheme"\s+content="{meta}">', text)
    found = re.search(r'<html[^>]* data-theme="(\w+)"', text)
    assert (found[1] if found else None) == attribute


def test_the_admin_takes_the_colours_too(world, as_user):
    User.objects.filter(pk=world.owner.pk).update(theme="dark")
    assert re.search(r'<meta name="color-scheme"\s+content="dark">', as_user(world.owner).get("/admin/").text)


@pytest.mark.parametrize(
    ("sent", "keys"), [({"single_keys": "off"}, False), ({"single_keys": "on"}, True), ({}, False)]
)
def test_single_keys_are_switched_by_a_post(world, as_user, sent, keys):
    client = as_user(world.agent)
    assert client.post("/preferences/keys/", sent, headers={"HX-Request": "true"}).status_code == 204
    world.agent.refresh_from_db()
    assert world.agent.single_keys is keys
    assert ('data-keys="off"' in client.get("/leads/?show=all").text) is not keys


def test_a_form_without_scripts_is_led_back(world, as_user):
    response = as_user(world.agent).post("/preferences/keys/", headers={"Accept": "text/html"})
    assert response.headers["Location"] == "/preferences/"


def sold(world) -> Delivery:
    Delivery.objects.filter(pk=world.delivery.pk).update(
        outcome="converted", revenue="1234.50", feedback_count=1, conversion_status="sold"
    )
    return world.delivery


def test_a_list_shows_amounts_in_the_persons_format(world, german, as_user):
    sold(world)
    assert 'value="1.234,50"' in german.get("/leads/?show=all").text
    assert 'value="1,234.50"' in as_user(world.manager).get("/leads/?show=all").text


def test_a_leads_page_shows_dates_and_amounts_in_the_persons_format(world, german):
    sold(world)
    Delivery.objects.filter(pk=world.delivery.pk).update(delivered_at=AT, delivered_on=AT.date())
    text = german.get(f"/leads/{world.delivery.public_id}/").text
    assert "24.11.2026, 14:30" in text
    assert 'value="1234,50"' in text


@pytest.mark.parametrize("typed", ["1.500,00", "1500,00", "1500", "1500.00", "€1.500"])
def test_a_decimal_comma_is_taken_as_it_is_shown(world, german, typed):
    _edit(german, world.delivery, typed)
    world.delivery.refresh_from_db()
    assert world.delivery.revenue == Decimal(1500)


def test_the_same_amount_in_another_spelling_changes_nothing(world, german):
    _edit(german, world.delivery, "1500,00")
    world.delivery.refresh_from_db()
    version = world.delivery.version
    _edit(german, world.delivery, "1.500,00", version)
    world.delivery.refresh_from_db()
    assert (world.delivery.version, world.delivery.feedback_count) == (version, 1)


def test_an_amount_of_another_format_is_refused_with_a_sample_in_ones_own(world, german):
    response = _edit(german, world.delivery, "1,500.00")
    assert response.status_code == 422
    assert "Write an amount, such as 1500,00." in response.text
    world.delivery.refresh_from_db()
    assert world.delivery.revenue is None


def test_a_note_is_a_note_whatever_it_looks_like(world, german):
    german.post(f"/leads/{world.delivery.public_id}/edit/", {"version": "0", "notes": "1.500"})
    world.delivery.refresh_from_db()
    assert world.delivery.fields["notes"] == "1.500"
    german.post(
        f"/leads/{world.delivery.public_id}/edit/", {"version": str(world.delivery.version), "notes": "1500"}
    )
    world.delivery.refresh_from_db()
    assert world.delivery.fields["notes"] == "1500"


def _edit(client, delivery, typed: str, version: int = 0):
    data = {"field": "revenue", "value": typed, "version": str(version)}
    return client.post(f"/leads/{delivery.public_id}/edit/", data, headers={"HX-Request": "true"})


def test_files_for_machines_stay_neutral(world, as_user):
    User.objects.filter(pk=world.owner.pk).update(number_format="point", date_format="day")
    make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, price="1234.50")
    stale.mark(list(Delivery.objects.all()))
    recompute()
    response = as_user(world.owner).get("/reports/sources.csv")
    text = response.getvalue().decode()
    assert "1254.50" in text
    assert "1.254,50" not in text


def test_the_next_person_is_not_shown_the_last_ones_formats(world, german, as_user):
    sold(world)
    german.get("/leads/?show=all")
    assert "1,234.50" in as_user(world.manager).get("/leads/?show=all").text
