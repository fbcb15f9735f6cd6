"""The dashboard asks for itself again: 304 while nothing is new, never stale when something is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from flows.models import Alert, Decision, Rule
from tests import factories as make
from tests.reports.conftest import learn, sell

HTMX = {"HX-Request": "true", "HX-Trigger": "board", "HX-Target": "board"}


@pytest.fixture
def ask(world, as_user, known):
    """``ask(tag)`` → the answer to the page's own asking."""
    client = as_user(world.owner)

    def asking(tag: str = "", query: str = "", **headers: str):
        sent = {**HTMX, **headers} | ({"If-None-Match": tag} if tag else {})
        return client.get(f"/dashboard/{query}", headers=sent)

    return asking


def test_the_same_state_is_answered_with_304_and_the_time_of_looking(ask, fixed_time):
    first = ask()
    fixed_time.shift(dt.timedelta(seconds=7))
    again = ask(first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again["X-As-Of"] == "12:00:07"
    assert again["ETag"] == first["ETag"]
    assert "HX-Request" in again["Vary"] and "no-cache" in again["Cache-Control"]


def test_a_304_adds_nothing_up(ask, django_assert_max_num_queries):
    tag = ask()["ETag"]
    with django_assert_max_num_queries(10) as captured:
        assert ask(tag).status_code == 304
    assert not [each["sql"] for each in captured.captured_queries if "SUM(" in each["sql"]]


def test_the_part_is_the_middle_of_the_page_and_not_the_page(ask):
    text = ask().content.decode()
    assert '<div id="board"' in text
    assert "<html" not in text
    assert 'id="dashboard-days" hx-swap-oob="true"' in text
    assert '<form id="filters"' not in text  # a half-typed date is left alone


def change_a_cell(world):
    learn(sell(world.source, world.buyer, days=20, count=1, revenue=Decimal("77.00")))


def pause(world):
    world.source.status = "paused"
    world.source.save()


def change_the_reason(world):
    world.source.status_reason = "Checked by hand"
    world.source.save()


def rename(world):
    world.source.name = "Renamed"
    world.source.save()


def raise_an_alert(world):
    Alert.objects.create(seller=world.seller, flow=world.flow, level="warn", title="Late")


def decide(world):
    Decision.objects.create(
        flow=world.flow,
        source=world.source,
        rule_name="Pause",
        action="pause_source",
        evaluation="1",
        numbers={"outcome": "returned", "lead_id": "evt_1"},
        before={"status": "active"},
        after={"status": "paused"},
    )


def add_a_rule(world):
    Rule.objects.create(
        flow=world.flow,
        name="Low",
        metric="conversion_rate",
        comparison="below",
        threshold=Decimal("0.05"),
        action="pause_source",
    )


@pytest.mark.parametrize(
    "change", [change_a_cell, pause, change_the_reason, rename, raise_an_alert, decide, add_a_rule]
)
def test_whatever_the_page_shows_makes_it_new(ask, world, change, fixed_time):
    tag = ask()["ETag"]
    fixed_time.shift(dt.timedelta(seconds=1))
    change(world)
    assert ask(tag).status_code == 200


def test_undoing_a_decision_makes_it_new(ask, world):
    decide(world)
    tag = ask()["ETag"]
    Decision.objects.update(status=Decision.Status.UNDONE)
    assert ask(tag).status_code == 200


def test_a_minute_later_the_ages_are_drawn_anew(ask, fixed_time):
    tag = ask()["ETag"]
    fixed_time.shift(dt.timedelta(minutes=1))
    assert ask(tag).status_code == 200


def test_the_state_of_another_seller_changes_nothing(ask, world, other_world):
    tag = ask()["ETag"]
    learn(sell(other_world.source, other_world.buyer, days=2, count=3, revenue=Decimal("5.00")))
    raise_an_alert(other_world)
    assert ask(tag).status_code == 304


def test_another_question_has_another_tag(ask):
    assert ask(ask()["ETag"], "?period=7").status_code == 200


def test_a_changed_filter_puts_the_clean_address_into_the_browser(ask, world):
    query = f"?flow={world.flow.public_id}&buyer=&source=&period=30&from=2026-02-14&to=2026-03-15"
    answer = ask("", query, **{"HX-Trigger": "filters"})
    assert answer["HX-Push-Url"] == f"/dashboard/?flow={world.flow.public_id}"
    assert "HX-Push-Url" not in ask("", query)


def test_a_source_of_another_flow_than_the_chosen_one_is_let_go(ask, world):
    other = make.FlowFactory(seller=world.seller)
    query = f"?flow={other.public_id}&source={world.source.pk}"
    answer = ask("", query, **{"HX-Trigger": "filters"})
    assert answer["HX-Push-Url"] == f"/dashboard/?flow={other.public_id}"
    assert f'value="{world.source.pk}"' not in answer.content.decode()


def test_going_back_in_the_browser_gets_the_whole_page(ask):
    assert b"<html" in ask("", **{"HX-History-Restore-Request": "true"}).content
