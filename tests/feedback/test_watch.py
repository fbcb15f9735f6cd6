"""The hourly look: buyers that are overdue, sources that have changed, each told once and when it is over."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.utils.timezone import now as real_now

from feedback import tasks, watch
from feedback.models import Upload
from feedback.overdue import overdue_of
from feedback.upload_lease import finish
from flows.models import Agreement, Alert, Delivery, Flow, OutboxMessage, Source
from portal.models import Buyer
from tests import factories as make
from tests.conftest import make_world
from tests.flows.test_races import N, at_once

NEW_YORK = ZoneInfo("America/New_York")


def local(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


TUESDAY = local("2025-11-11T15:00")  # and the lead below is of 14:00 the day before


@pytest.fixture
def world(db):
    return fresh_world()


def fresh_world():
    """A buyer with one lead, delivered on Monday, 14:00, and a daily schedule."""
    world = make_world()
    Delivery.objects.filter(pk=world.delivery.pk).update(
        delivered_at=local("2025-11-10T14:00"), delivered_on=dt.date(2025, 11, 10)
    )
    agree(world, "daily")
    return world


def agree(world, schedule: str) -> None:
    Agreement.objects.filter(flow=world.flow).update(schedule=schedule)


def deliver(world, at: dt.datetime, **columns) -> Delivery:
    return make.DeliveryFactory(
        lead__source=world.source, buyer=world.buyer, delivered_at=at, delivered_on=at.date(), **columns
    )


def told(world) -> list[str]:
    return list(Alert.objects.filter(seller=world.seller).order_by("pk").values_list("title", flat=True))


# --- Overdue -------------------------------------------------------------------------------------


def test_a_buyer_is_overdue_an_hour_after_the_agreed_time(world):
    watch.watch(now=local("2025-11-11T09:30"))
    assert not told(world)
    watch.watch(now=local("2025-11-11T10:01"))
    alert = Alert.objects.get()
    assert alert.title == f"{world.buyer} is overdue with feedback on {world.flow}"
    assert alert.body == (
        "1 lead waits past the agreed time, the longest since its delivery on 10 Nov at 14:00. "
        "Agreed: Daily: by 9:00 on the day after the delivery."
    )
    assert (alert.flow, alert.level, alert.lasts) == (world.flow, "warn", True)
    assert OutboxMessage.objects.filter(kind="email").count() == 1


def test_it_is_told_once_while_it_lasts_and_once_when_it_is_over(world):
    for hour in range(5):
        watch.watch(now=TUESDAY + dt.timedelta(hours=hour))
        deliver(world, local("2025-11-10T16:00"))
    assert len(told(world)) == 1
    Delivery.objects.update(feedback_count=1)
    for hour in range(5, 8):
        watch.watch(now=TUESDAY + dt.timedelta(hours=hour))
    assert told(world)[1:] == [f"Resolved: {world.buyer} is overdue with feedback on {world.flow}"]


def test_one_who_is_late_by_less_stays_overdue_but_does_not_become_so(world):
    agree(world, "realtime")
    Delivery.objects.update(feedback_count=1)
    deliver(world, local("2025-11-11T13:30"))
    watch.watch(now=TUESDAY)  # half an hour late
    assert not told(world)
    watch.watch(now=TUESDAY + dt.timedelta(hours=1))
    Delivery.objects.update(feedback_count=1)
    deliver(world, local("2025-11-11T14:30"))
    watch.watch(now=TUESDAY + dt.timedelta(hours=1))
    assert [each.lasts for each in Alert.objects.all()] == [True]


@pytest.mark.parametrize(
    ("schedule", "at", "overdue"),
    [
        ("none", "2026-01-20T12:00", False),
        ("realtime", "2025-11-10T15:01", True),
        ("daily", "2025-11-11T08:59", False),
        ("weekly", "2025-11-17T11:59", False),
        ("weekly", "2025-11-17T12:01", True),
        ("monthly", "2025-12-01T23:59", False),
        ("monthly", "2025-12-02T00:01", True),
    ],
)
def test_each_schedule_has_its_moment(world, schedule, at, overdue):
    agree(world, schedule)
    assert bool(overdue_of(world.seller.pk, local(at))) is overdue


def test_the_moment_is_by_the_buyers_clock(world):
    Buyer.objects.update(timezone="Asia/Tokyo")  # where the lead is of Tuesday, 4:00
    assert not overdue_of(world.seller.pk, TUESDAY)
    assert overdue_of(world.seller.pk, local("2025-11-11T19:01"))


def test_the_night_when_clocks_change_is_an_hour_longer(world):
    Delivery.objects.update(delivered_at=local("2025-11-01T12:00"))
    nine = local("2025-11-02T09:00")
    assert nine - local("2025-11-01T09:00").astimezone(dt.UTC) == dt.timedelta(hours=25)
    assert not overdue_of(world.seller.pk, nine)
    assert overdue_of(world.seller.pk, nine + dt.timedelta(seconds=1))


def test_what_takes_no_feedback_is_not_owed(world):
    late = TUESDAY + dt.timedelta(days=world.flow.update_window_days)
    assert not overdue_of(world.seller.pk, late)
    Flow.objects.update(feedback_enabled=False)
    assert not overdue_of(world.seller.pk, TUESDAY)


def test_who_buys_no_more_still_owes(world):
    Agreement.objects.update(is_active=False)
    assert overdue_of(world.seller.pk, TUESDAY)


def test_it_counts_what_waits_and_knows_since_when(world):
    deliver(world, local("2025-11-09T10:00"))
    deliver(world, local("2025-11-08T10:00"), feedback_count=1)
    deliver(world, local("2025-11-11T10:00"))  # not due yet
    (found,) = overdue_of(world.seller.pk, TUESDAY)
    assert (found.waits, found.late, found.since) == (2, 2, local("2025-11-09T10:00"))


def test_an_agreement_that_is_gone_leaves_nothing_standing(world):
    watch.watch(now=TUESDAY)
    Agreement.objects.all().delete()
    watch.watch(now=TUESDAY)
    assert told(world)[-1].startswith("Resolved")


# --- Of many -------------------------------------------------------------------------------------


def test_sellers_are_told_of_their_own_buyers_only(world):
    other = make_world()
    watch.watch(now=TUESDAY)
    assert len(told(world)) == 1 and not told(other)


def test_the_queries_do_not_grow(world, django_assert_max_num_queries):
    for number in range(12):
        source = make.SourceFactory(flow=make.FlowFactory(seller=world.seller, timezone="Europe/Berlin"))
        zone = ("America/New_York", "Asia/Tokyo")[number % 2]
        buyer = make.BuyerFactory(seller=world.seller, timezone=zone)
        make.DeliveryFactory(lead__source=source, buyer=buyer, delivered_at=local("2025-11-05T10:00"))
    Agreement.objects.update(schedule="daily")
    watch.watch(now=TUESDAY)
    assert len(told(world)) == 13
    with django_assert_max_num_queries(13):
        watch.watch_seller(world.seller.pk, TUESDAY)


def test_one_sellers_trouble_stops_no_other(world, monkeypatch):
    broken = make_world()
    second = fresh_world()
    settle = watch.WATCHERS[0]

    def failing(seller_id, *, now):
        settle(seller_id, now=now)
        if seller_id == broken.seller.pk:
            raise RuntimeError("out of order")

    Agreement.objects.update(schedule="daily")
    Delivery.objects.filter(pk=broken.delivery.pk).update(delivered_at=local("2025-11-10T14:00"))
    monkeypatch.setattr(watch, "WATCHERS", (failing,))
    assert watch.watch(now=TUESDAY) == 1
    assert told(world) and told(second)
    assert not told(broken)  # nothing by halves


def test_the_scheduler_knows_it():
    assert settings.CELERY_BEAT_SCHEDULE["watch"]["task"] == tasks.watch.name


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_eight_workers_watch_at_once_and_one_tells(transactional_db):
    world = fresh_world()
    assert at_once(lambda n: watch.watch(now=TUESDAY)) == [0] * N
    assert len(told(world)) == 1
    Delivery.objects.update(feedback_count=1)
    assert at_once(lambda n: watch.watch(now=TUESDAY)) == [0] * N
    assert len(told(world)) == 2
    assert OutboxMessage.objects.filter(kind="email").count() == 2


# --- Files ---------------------------------------------------------------------------------------


def end_reading(world, status: str, *, name: str = "november.csv", livemode: bool = True) -> None:
    upload = Upload.objects.create(
        flow=world.flow, buyer=world.buyer, filename=name, file="x.csv", size=1, status="running",
        livemode=livemode,
    )  # fmt: skip
    finish(upload, status=status, error="There is no head." if status == "failed" else "")


def test_a_file_that_could_not_be_read_is_told_until_one_is(world):
    end_reading(world, "failed")
    end_reading(world, "failed", name="again.csv")
    assert told(world) == [f"A file of {world.buyer} could not be read"]
    assert Alert.objects.get().body == "“november.csv”, 0 rows recorded before: There is no head."
    end_reading(world, "done", name="third.csv")
    end_reading(world, "done")
    assert told(world)[1:] == [f"Resolved: A file of {world.buyer} could not be read"]
    assert Alert.objects.latest("pk").body == "A later file, “third.csv”, was read."


def test_of_a_test_nothing_is_told(world):
    end_reading(world, "failed", livemode=False)
    end_reading(world, "failed")
    end_reading(world, "done", livemode=False)
    assert len(told(world)) == 1


# --- Changes at a source -------------------------------------------------------------------------

TODAY = dt.date(2025, 11, 11)


class Supply:
    """A source's deliveries of the last 56 days, twenty a day, of which shares are told and sold."""

    def __init__(self, world) -> None:
        agree(world, "none")
        Delivery.objects.all().delete()
        self.world, self.rows, self.rng = world, [], random.Random(4)
        self.lead = make.LeadFactory(source=world.source)

    def days(self, first: int, last: int, count: int = 20, *, told=0.8, after=2.0, **shares: float) -> None:
        """Leads of the days ``first`` to ``last`` days ago, told of ``after`` days later.

        As exact shares spread evenly: what is to be found is no accident.
        """
        for back in range(last, first + 1):
            day = TODAY - dt.timedelta(days=back)
            at = dt.datetime.combine(day, dt.time(12), NEW_YORK)
            heard = round(count * told)
            for number in range(count):
                row = Delivery(
                    lead=self.lead, flow=self.world.flow, source=self.world.source, buyer=self.world.buyer,
                    price=1, delivered_at=at, delivered_on=day,
                )  # fmt: skip
                if number < heard:
                    row.feedback_count = 1
                    row.first_feedback_at = row.last_feedback_at = at + dt.timedelta(days=after)
                    self.say(row, number, heard, shares)
                self.rows.append(row)

    @staticmethod
    def say(row: Delivery, number: int, heard: int, shares: dict[str, float]) -> None:
        sold, bad = round(heard * shares.get("sold", 0)), round(heard * shares.get("bad", 0))
        if number < sold:
            row.conversion_status, row.converted_at = "sold", row.last_feedback_at
        elif number < sold + bad:
            row.outcome = "bad_info"

    def look(self, *, days: int = 0) -> list[str]:
        Delivery.objects.bulk_create(self.rows)
        self.rows.clear()
        watch.watch(now=TUESDAY + dt.timedelta(days=days))
        return told(self.world)


@pytest.fixture
def supply(world) -> Supply:
    return Supply(world)


def test_a_steady_source_is_not_talked_of(supply):
    supply.days(60, 1, sold=0.2, bad=0.1)
    assert not supply.look()


def test_a_drop_of_coverage_is_told(supply):
    supply.days(60, 15, told=0.8)
    supply.days(14, 1, told=0.4)
    assert supply.look() == [f"{supply.world.source}: coverage fell from 80.0 % to 40.0 %"]
    alert = Alert.objects.get()
    assert (alert.source, alert.flow, alert.level) == (supply.world.source, supply.world.flow, "warn")
    assert alert.body.startswith(
        "Of the 140 leads of a week 56 had feedback within 7 days (40.0 %); of 560 in the four weeks before, "
        "448 (80.0 %). It is the last week whose leads are all 7 days old. By chance alone so great"
    )
    assert len(supply.look(days=1)) == 1


def test_a_rise_of_coverage_is_no_news(supply):
    supply.days(60, 15, told=0.4)
    supply.days(14, 1, told=0.9)
    assert not supply.look()


def test_it_is_over_when_the_weeks_no_longer_differ(supply):
    supply.days(60, 15, told=0.8)
    supply.days(14, 8, told=0.4)
    supply.days(7, -30, told=0.8)
    supply.look()
    titles = supply.look(days=10)
    assert titles[1:] == [f"Resolved: {titles[0]}"]


def test_young_leads_do_not_make_a_drop(supply):
    """All are told of on their tenth day and sold on their twelfth: of the youngest nothing is known yet."""
    supply.days(60, 12, told=0.9, after=12, sold=0.3)
    supply.days(11, 1, told=0)
    assert not supply.look()


def test_late_news_of_old_leads_is_no_better_than_that_of_young_ones(supply):
    """What is sold after a month counts for neither, else the old weeks would look better."""
    supply.days(60, 1, sold=0.2)
    supply.days(60, 30, after=29, told=0.8, sold=1.0, count=10)
    titles = [title for title in supply.look() if "leads a week" not in title and "coverage" not in title]
    assert not titles


def test_more_sales_are_good_news_and_fewer_are_not(supply):
    supply.days(60, 29, sold=0.1)
    supply.days(28, 1, sold=0.5)
    (title,) = supply.look()
    assert title == f"{supply.world.source}: sales per lead with feedback rose from 12.5 % to 50.0 %"
    assert Alert.objects.get().level == "good"


def test_more_bad_info_is_a_warning(supply):
    supply.days(60, 29, bad=0.1)
    supply.days(28, 1, bad=0.5)
    assert supply.look() == [
        f"{supply.world.source}: bad info per lead with feedback rose from 12.5 % to 50.0 %"
    ]
    assert Alert.objects.get().level == "warn"


def test_a_silent_buyer_is_told_as_coverage_and_not_as_a_source_that_sells_less(supply):
    supply.days(60, 29, sold=0.5)
    supply.days(28, 22, told=0.4, sold=0.5)
    supply.days(21, 15, told=0.8, sold=0.5)
    supply.days(14, 1, told=0.3, sold=0.5)
    assert ["coverage" in title for title in supply.look()] == [True]


def test_too_few_leads_tell_nothing(supply):
    supply.days(60, 15, count=7, told=1)
    supply.days(14, 1, count=7, told=0)
    assert not supply.look()  # 49 of a week


def test_a_week_of_too_few_leads_leaves_an_alert_standing(supply):
    supply.days(60, 15, told=0.8)
    supply.days(14, 8, told=0.2)
    Source.objects.update(status="paused")  # nothing comes after
    supply.look()
    assert [each.lasts for each in Alert.objects.all()] == [True]
    supply.look(days=6)
    assert [each.lasts for each in Alert.objects.all()] == [True]
    supply.look(days=60)
    assert not Alert.objects.filter(resolved_at=None).exclude(condition="").exists()


@pytest.mark.parametrize(("recent", "went"), [(4, "fell from 140 to 28"), (60, "rose from 140 to 420")])
def test_a_leap_of_volume_is_told(supply, recent, went):
    supply.days(60, 8)
    supply.days(7, 1, count=recent)
    assert supply.look() == [f"{supply.world.source}: leads a week {went}"]
    assert Alert.objects.get().body.startswith(
        f"{recent * 7} leads in the last 7 days; the four weeks before"
    )


def test_a_paused_source_sends_nothing_and_nobody_wonders(supply):
    supply.days(60, 8)
    Source.objects.update(status="paused")
    assert not supply.look()


def test_a_new_source_has_no_usual_volume(supply):
    supply.days(20, 1)
    assert not supply.look()


def test_monthly_reports_make_no_drop(supply):
    supply.days(60, 15, told=0.9)
    supply.days(14, 1, told=0)
    agree(supply.world, "monthly")
    assert ["overdue" in title for title in supply.look()] == [True]


def test_without_a_time_it_is_now(world):
    deliver(world, real_now() - dt.timedelta(days=3))
    assert watch.watch() == 0
    assert Alert.objects.get().created_at <= real_now()
