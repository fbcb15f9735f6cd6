"""A condition is told once while it lasts, and once that it is over, by the channels of its seller."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from flows import conditions, endpoints, events
from flows.actions.alerts import raise_alerts
from flows.models import Alert, AlertSettings, Endpoint, OutboxMessage
from tests.conftest import make_world
from tests.flows.test_races import N, at_once

NOON = dt.datetime(2025, 11, 12, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=5)
Level = Alert.Level


def an_alert(level: str = Level.WARN, title: str = "Alpine is overdue", at: dt.datetime = NOON) -> Alert:
    return Alert(level=level, title=title, body="12 leads wait.", created_at=at)


def hold(world, condition="overdue:1", **of_alert) -> bool:
    return conditions.hold(world.seller.pk, condition, lambda: an_alert(**of_alert))


def clear(world, condition="overdue:1", why="") -> bool:
    return conditions.clear(world.seller.pk, condition, now=LATER, why=why)


def mails(world) -> list[str]:
    sent = OutboxMessage.objects.filter(seller=world.seller, kind="email").order_by("pk")
    return [each.payload["subject"] for each in sent]


def settings(world, **columns) -> None:
    AlertSettings.objects.filter(seller=world.seller).update(**columns)


def test_a_condition_is_told_once_while_it_lasts(world):
    assert [hold(world) for _ in range(3)] == [True, False, False]
    alert = Alert.objects.get()
    assert (alert.condition, alert.lasts, alert.created_at) == ("overdue:1", True, NOON)
    assert mails(world) == ["Alpine is overdue"]


def test_what_stands_is_not_touched(world):
    hold(world)
    hold(world, title="Alpine is more overdue than ever", at=LATER)
    alert = Alert.objects.get()
    assert (alert.title, alert.created_at) == ("Alpine is overdue", NOON)


def test_its_end_is_told_once(world):
    hold(world)
    assert [clear(world, why="All was sent.") for _ in range(2)] == [True, False]
    alert = Alert.objects.get(condition="overdue:1")
    told = alert.resolution
    assert (alert.resolved_at, alert.lasts) == (LATER, False)
    assert (told.level, told.title, told.body) == ("good", "Resolved: Alpine is overdue", "All was sent.")
    assert (told.created_at, told.lasts, told.read_at) == (LATER, False, None)
    assert mails(world) == ["Alpine is overdue", "Resolved: Alpine is overdue"]


def test_after_its_end_it_may_begin_again(world):
    hold(world)
    clear(world)
    assert hold(world)
    assert Alert.objects.filter(condition="overdue:1").count() == 2


def test_where_nothing_lasted_nothing_is_over(world):
    raise_alerts([Alert(seller=world.seller, level="bad", title="Of its moment", created_at=NOON)])
    assert not clear(world) and not clear(world, condition="")
    assert Alert.objects.count() == 1


def test_a_condition_without_a_key_is_a_mistake(world):
    with pytest.raises(ValueError, match="key"):
        hold(world, condition="")


def test_sellers_have_conditions_of_their_own(world, other_world):
    assert hold(world) and hold(other_world)
    clear(world)
    assert Alert.objects.get(seller=other_world.seller).lasts
    assert mails(other_world) == ["Alpine is overdue"]


def test_a_family_is_brought_up_to_date_at_once(world, other_world, django_assert_num_queries):
    for condition in ("x:stays", "x:lingers", "x:ends", "xy:other"):
        hold(world, condition=condition, title=condition)
    hold(other_world, condition="x:ends")
    new = {condition: lambda: an_alert(title="x:new") for condition in ("x:stays", "x:new", "x:lingers")}
    lasting = {"x:lingers", "x:never-told"}
    new.pop("x:lingers")
    conditions.settle(world.seller.pk, "x", new, lasting, now=LATER)
    lasts = Alert.objects.filter(seller=world.seller, resolved_at=None).exclude(condition="")
    assert {each.condition for each in lasts} == {"x:stays", "x:lingers", "x:new", "xy:other"}
    assert mails(world)[-2:] == ["x:new", "Resolved: x:ends"]
    assert Alert.objects.get(seller=other_world.seller).lasts
    with django_assert_num_queries(1):
        conditions.settle(world.seller.pk, "x", new, lasting, now=LATER)


@pytest.mark.parametrize(
    ("least", "level", "told"),
    [
        ("all", "info", True),
        ("warn", "info", False),
        ("warn", "good", False),
        ("warn", "warn", True),
        ("bad", "warn", False),
        ("bad", "bad", True),
    ],
)
def test_mails_begin_at_the_level_that_was_chosen_and_the_end_goes_with_the_beginning(
    world, least, level, told
):
    settings(world, email_level=least)
    hold(world, level=level)
    clear(world)
    assert len(mails(world)) == (2 if told else 0)
    assert Alert.objects.count() == 2  # in the app they are all the same


def test_without_mails_endpoints_and_the_app_are_told(world):
    settings(world, by_email=False)
    Endpoint.objects.create(seller=world.seller, name="Ops", kind="slack", url="https://x.example/s")
    hold(world)
    clear(world)
    assert not mails(world)
    texts = [each.payload["body"] for each in OutboxMessage.objects.order_by("pk")]
    assert "*Alpine is overdue*" in texts[0] and "*Resolved: Alpine is overdue*" in texts[1]


def test_a_webhook_is_told_whether_it_lasts(world):
    Endpoint.objects.create(
        seller=world.seller, name="Ops", url="https://x.example/w", events=["alert.raised"]
    )
    hold(world)
    clear(world)
    bodies = [each.payload["body"] for each in OutboxMessage.objects.filter(kind="webhook").order_by("pk")]
    assert '"lasts":true,"resolved":false' in bodies[0]
    assert '"lasts":false,"resolved":true' in bodies[1]


def test_a_seller_without_a_row_of_settings_is_told_everything_at_once(world):
    AlertSettings.objects.all().delete()
    hold(world, level="info")
    assert len(mails(world)) == 1


def test_an_endpoint_that_was_switched_off_is_told_until_it_is_on_again(world):
    endpoint = Endpoint.objects.create(seller=world.seller, name="CRM", url="https://x.example/w")
    for _ in range(2):
        endpoints.failed(endpoint, OSError("refused"), now=NOON)
        endpoints.failed(endpoint, OSError("refused"), now=NOON + endpoints.PATIENCE)
        endpoint.refresh_from_db()
        assert not endpoint.enabled
        assert Alert.objects.get(condition=f"endpoint:{endpoint.pk}", resolved_at=None).lasts
        endpoints.switch_on(endpoint)
        assert not Alert.objects.filter(resolved_at=None).exclude(condition="").exists()
    assert mails(world).count("Resolved: Endpoint “CRM” was switched off") == 2


def test_an_endpoint_that_is_gone_is_not_told_for_ever(world):
    endpoint = Endpoint.objects.create(seller=world.seller, name="CRM", url="https://x.example/w")
    endpoints.failed(endpoint, OSError("refused"), now=NOON)
    endpoints.failed(endpoint, OSError("refused"), now=NOON + endpoints.PATIENCE)
    endpoints.settle_alerts(world.seller.pk, now=LATER)
    assert Alert.objects.get().lasts
    endpoint.delete()
    endpoints.settle_alerts(world.seller.pk, now=LATER)
    assert mails(world)[-1].startswith("Resolved")


def test_the_event_is_one_that_endpoints_can_ask_for():
    assert "alert.raised" in events.TYPES


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
class TestManyWorkers:
    def test_eight_find_it_at_once_and_one_tells(self, transactional_db):
        world = make_world()
        told = at_once(lambda n: hold(world))
        assert sorted(told) == [False] * (N - 1) + [True]
        assert len(mails(world)) == Alert.objects.count() == 1

    def test_eight_find_it_over_and_one_tells(self, transactional_db):
        world = make_world()
        hold(world)
        told = at_once(lambda n: clear(world))
        assert sorted(told) == [False] * (N - 1) + [True]
        assert mails(world) == ["Alpine is overdue", "Resolved: Alpine is overdue"]
