"""The daily digest: once a day at the seller's hour, with all that came, and none on a day without news."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from flows import conditions, tasks
from flows.actions.alerts import raise_alerts
from flows.digest import MOST, next_digest, send_digests
from flows.models import Alert, AlertSettings, OutboxMessage
from portal.models import Membership, Seller
from tests.conftest import make_world
from tests.flows.test_races import at_once

NEW_YORK = ZoneInfo("America/New_York")


def local(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


NOON = local("2025-11-11T12:00")
MORNING = local("2025-11-12T08:00")  # of the day after


@pytest.fixture
def world(db):
    return with_digest()


def with_digest():
    world = make_world()
    AlertSettings.objects.filter(seller=world.seller).update(digest=True)
    return world


def tell(world, title: str = "Facebook was paused", *, at: dt.datetime = NOON, level: str = "warn") -> None:
    raise_alerts([Alert(seller=world.seller, level=level, title=title, created_at=at)])


def mails(world) -> list[tuple[str, str]]:
    rows = OutboxMessage.objects.filter(seller=world.seller, kind="email").order_by("pk")
    return [(row.payload["subject"], row.payload["body"]) for row in rows]


def test_alerts_wait_for_the_hour_and_come_in_one_mail(world):
    tell(world)
    tell(world, "Search was paused", at=NOON + dt.timedelta(hours=2))
    assert send_digests(now=MORNING - dt.timedelta(seconds=1)) == 0
    assert not mails(world)
    assert send_digests(now=MORNING) == 1
    assert mails(world) == [
        (
            "Alerts of 12 Nov: 2 new",
            "New\n- 11 Nov, 12:00  Facebook was paused\n- 11 Nov, 14:00  Search was paused\n\n"
            f"{settings.BASE_URL}/alerts/\n",
        )
    ]
    assert set(OutboxMessage.objects.get().payload["to"]) == {world.owner.email, world.analyst.email}


def test_it_comes_once_a_day(world):
    tell(world)
    for minutes in range(0, 600, 60):
        send_digests(now=MORNING + dt.timedelta(minutes=minutes))
        tell(world, f"After {minutes}", at=MORNING + dt.timedelta(minutes=minutes))
    assert len(mails(world)) == 1
    assert send_digests(now=MORNING + dt.timedelta(days=1)) == 1
    assert mails(world)[1][0] == "Alerts of 13 Nov: 10 new"


def test_a_day_without_news_has_no_mail(world):
    tell(world)
    send_digests(now=MORNING)
    for days in range(1, 4):
        assert send_digests(now=MORNING + dt.timedelta(days=days)) == 0
    assert len(mails(world)) == 1


def test_what_comes_after_the_hour_waits_for_the_next_day(world):
    """Also where there was nothing to send at the hour."""
    tell(world, at=MORNING + dt.timedelta(minutes=1))
    assert send_digests(now=MORNING + dt.timedelta(hours=9)) == 0
    assert send_digests(now=MORNING + dt.timedelta(days=1)) == 1


def test_a_worker_that_was_down_sends_it_late(world):
    tell(world)
    assert send_digests(now=MORNING + dt.timedelta(hours=6)) == 1


def test_an_alert_that_commits_late_is_told_the_next_day_and_not_lost(world):
    tell(world)
    send_digests(now=MORNING)
    tell(world, "From a long transaction", at=MORNING - dt.timedelta(minutes=10))
    assert send_digests(now=MORNING + dt.timedelta(hours=1)) == 0
    assert send_digests(now=MORNING + dt.timedelta(days=1)) == 1
    assert "From a long transaction" in mails(world)[1][1]


def test_a_problem_does_not_wait(world):
    tell(world, "A rule cannot be carried out", level="bad")
    assert [subject for subject, _ in mails(world)] == ["A rule cannot be carried out"]
    assert send_digests(now=MORNING) == 0


def test_it_tells_what_is_over_and_what_still_stands(world):
    for name in ("alpine", "crest"):
        conditions.hold(
            world.seller.pk,
            f"overdue:{name}",
            lambda name=name: Alert(level="warn", title=f"{name} is overdue", created_at=NOON),
        )
    send_digests(now=MORNING)
    conditions.clear(world.seller.pk, "overdue:alpine", now=MORNING + dt.timedelta(hours=3))
    tell(world, at=MORNING + dt.timedelta(hours=4))
    send_digests(now=MORNING + dt.timedelta(days=1))
    assert mails(world)[1] == (
        "Alerts of 13 Nov: 1 new, 1 resolved, 1 still there",
        "New\n- 12 Nov, 12:00  Facebook was paused\n\nResolved\n- 12 Nov, 11:00  alpine is overdue\n\n"
        f"Still there\n- since 11 Nov, 12:00  crest is overdue\n\n{settings.BASE_URL}/alerts/\n",
    )


def test_a_mail_of_very_many_says_how_many_more(world):
    for number in range(MOST + 3):
        tell(world, f"Alert {number}")
    send_digests(now=MORNING)
    ((subject, body),) = mails(world)
    assert f"{MOST + 3} new" in subject
    assert "… and 3 more" in body and f"Alert {MOST}" not in body


@pytest.mark.parametrize(
    ("columns", "sent"), [({"digest": False}, 1), ({"by_email": False}, 0), ({"email_level": "bad"}, 1)]
)
def test_what_waited_is_not_left_when_the_wish_changes(world, columns, sent):
    """Without the digest it is sent at once; without mails it is not; the level counts for what comes."""
    tell(world)
    AlertSettings.objects.update(**columns)
    assert send_digests(now=MORNING) == sent
    assert not Alert.objects.filter(awaits_digest=True).exists()


def test_the_level_counts_for_the_digest_too(world):
    AlertSettings.objects.update(email_level="warn")
    tell(world, "Good news", level="good")
    assert send_digests(now=MORNING) == 0


def test_with_nobody_to_write_to_nothing_waits(world):
    Membership.objects.all().delete()
    tell(world)
    assert not Alert.objects.get().awaits_digest


def test_the_hour_is_the_sellers_own(world):
    other = with_digest()
    Seller.objects.filter(pk=other.seller.pk).update(timezone="Asia/Tokyo")
    AlertSettings.objects.filter(seller=other.seller).update(digest_hour=20)
    tell(world)
    tell(other)
    assert send_digests(now=local("2025-11-12T05:59")) == 0
    assert send_digests(now=local("2025-11-12T06:00")) == 1  # 20:00 in Tokyo
    assert mails(other) and not mails(world)


def test_one_sellers_trouble_stops_no_other(world):
    broken = with_digest()
    tell(broken)
    AlertSettings.objects.filter(seller=broken.seller).delete()
    tell(world)
    assert send_digests(now=MORNING) == 1
    assert mails(world)


@pytest.mark.parametrize(
    ("after", "hour", "expected"),
    [
        ("2025-11-11T07:59", 8, "2025-11-11T13:00"),
        ("2025-11-11T08:00", 8, "2025-11-12T13:00"),
        ("2025-11-11T23:30", 0, "2025-11-12T05:00"),
        ("2026-03-07T12:00", 2, "2026-03-08T07:00"),  # an hour that is left out: when clocks show 3
        ("2025-11-01T12:00", 1, "2025-11-02T05:00"),  # an hour that comes twice: the first
        ("2025-11-02T01:30", 1, "2025-11-03T06:00"),
    ],
)
def test_when_the_next_one_is(after, hour, expected):
    assert next_digest(local(after), hour, NEW_YORK) == dt.datetime.fromisoformat(f"{expected}+00:00")


@given(
    st.datetimes(*map(dt.datetime.fromisoformat, ("2020-01-01", "2030-01-01")), timezones=st.just(dt.UTC)),
    st.integers(0, 23),
    st.sampled_from(["America/New_York", "Africa/Cairo", "Asia/Kolkata", "America/Havana"]),
)
def test_it_is_ahead_and_within_a_day_of_25_hours(after, hour, zone):
    assert dt.timedelta(0) < next_digest(after, hour, ZoneInfo(zone)) - after <= dt.timedelta(hours=25)


def test_an_hour_that_comes_twice_brings_one_mail(world):
    AlertSettings.objects.update(digest_hour=1)
    tell(world, at=local("2025-11-01T12:00"))
    assert send_digests(now=dt.datetime(2025, 11, 2, 5, tzinfo=dt.UTC)) == 1
    tell(world, at=dt.datetime(2025, 11, 2, 5, 10, tzinfo=dt.UTC))
    assert send_digests(now=dt.datetime(2025, 11, 2, 6, tzinfo=dt.UTC)) == 0  # 1:00 again


def test_the_scheduler_knows_it():
    assert settings.CELERY_BEAT_SCHEDULE["send-digests"]["task"] == tasks.send_digests.name


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("digest", [True, False])
def test_eight_workers_send_one(transactional_db, digest):
    """Also what is left of a digest that was switched off."""
    world = with_digest()
    tell(world)
    AlertSettings.objects.update(digest=digest)
    assert sum(at_once(lambda n: send_digests(now=MORNING))) == 1
    assert len(mails(world)) == 1
