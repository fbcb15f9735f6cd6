"""The demo world as described: people who cannot exist, fates that can, reports in time. No database."""

from __future__ import annotations

import datetime as dt
import random
import re
import zoneinfo

import pytest

from feedback.demo import life, people, world
from flows.models import Outcome
from flows.presets import PRESETS

NOW = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
FLOWS = [flow for seller in world.SELLERS for flow in seller.flows]
CASES = [(flow, source, buyer) for flow in FLOWS for source in flow.sources for buyer in flow.buyers]


def stories(flow, source, buyer, count=60):
    rng = random.Random(7)
    case = life.Case(flow, source, buyer, 30, NOW)
    return [life.news_of(case, rng) for _ in range(count)]


def test_the_world_has_the_size_it_is_said_to_have():
    assert len(world.SELLERS) == 2
    assert len(FLOWS) == 3
    assert sum(len(flow.sources) for flow in FLOWS) == 10
    assert sum(len(flow.buyers) for flow in FLOWS) == 6
    per_day = [world.daily_targets(round(world.DELIVERIES * flow.share), NOW.date()) for flow in FLOWS]
    assert {len(days) for days in per_day} == {120}
    assert sum(map(sum, per_day)) == 20_000


def test_consumers_cannot_be_real():
    rng = random.Random(7)
    leads = [people.consumer(rng, number, "insurance") for number in range(14_000)]
    assert all(re.fullmatch(r"[\w.]+@example\.(com|org|net)", lead["email"]) for lead in leads)
    assert all(re.fullmatch(r"\(\d{3}\) 555-01\d\d", lead["phone"]) for lead in leads)
    assert len({lead["email"] for lead in leads}) == len({lead["phone"] for lead in leads}) == len(leads)


@pytest.mark.parametrize(("flow", "source", "buyer"), CASES)
def test_reports_come_after_what_they_report_and_within_the_window(flow, source, buyer):
    closes_at = NOW + dt.timedelta(days=flow.window_days)
    for news in stories(flow, source, buyer):
        for each in news:
            assert NOW <= each.happened_at < each.sent_at < closes_at
        assert [each.happened_at for each in news] == sorted(each.happened_at for each in news)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.preset)
def test_reports_use_only_fields_of_the_flow(flow):
    known = {field.name for field in PRESETS[flow.preset]}
    for news in stories(flow, flow.sources[0], flow.buyers[0], 300):
        for each in news:
            assert set(each.values) <= known
            assert each.values["outcome"] in Outcome.values
            assert each.values.get("quality_score", 1) in range(1, 6)


def test_buyers_send_at_their_hours():
    crestview = world.AUTO.buyers[1]
    sent = life.next_sending(crestview, NOW).astimezone(zoneinfo.ZoneInfo(crestview.timezone))
    assert (sent.weekday(), sent.hour) == (0, 8)
    assert sent.date() == dt.date(2026, 3, 9)  # the Monday after: this Monday's file has gone


def test_a_silent_buyer_says_little_and_one_that_returns_returns_much():
    helio, lakeside = world.SOLAR.buyers[1], world.MORTGAGE.buyers[1]
    returned = [
        any(each.values["outcome"] == "returned" for each in news)
        for news in stories(world.SOLAR, world.SOLAR.sources[1], helio, 500)
    ]
    silent = [not news for news in stories(world.MORTGAGE, world.MORTGAGE.sources[0], lakeside, 500)]
    assert 0.10 < sum(returned) / 500 < 0.30
    assert 0.75 < sum(silent) / 500 < 0.90


def test_the_same_seed_makes_the_same_world():
    assert stories(*CASES[0]) == stories(*CASES[0])
    assert world.bounds(random.Random(1), NOW) == world.bounds(random.Random(1), NOW)
    assert world.bounds(random.Random(1), NOW) == sorted(world.bounds(random.Random(1), NOW))
