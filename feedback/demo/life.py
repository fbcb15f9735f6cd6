"""What becomes of a lead, and when its buyer says so. Pure: chance comes in as a generator."""

from __future__ import annotations

import datetime as dt
import math
import random
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from feedback.demo.world import BuyerWorld, FlowWorld, Habit, SourceTruth, on_day

BAD_INFO_NOTES = ("Wrong phone", "Number not in service", "E-mail bounced", "Name does not match the number")
RETURN_REASONS = ("Wrong number", "Out of area", "Already a customer", "Did not request a quote")
GRUDGE_REASONS = ("Did not qualify", "Not ready to buy", "Price shopper")
NOTES = (
    "Great lead",
    "Asked for a call back",
    "Comparing three offers",
    "Wants to start next month",
    "Very well informed",
)
ISSUES = {"bad_info": 1.2, "duplicate": 1.8, "no_contact": 3.1}  # the mean score of a lead with this fate
LIFT = {"converted": 0.6, "contacted": 0.2, "not_interested": 0.0}  # added to the source's quality


@dataclass(frozen=True, slots=True)
class News:
    """Feedback on its way: when it happened, when the buyer sends it, and what it says."""

    happened_at: dt.datetime
    sent_at: dt.datetime
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One delivery, with everything that bears upon its fate."""

    flow: FlowWorld
    source: SourceTruth
    buyer: BuyerWorld
    day: float
    delivered_at: dt.datetime


def news_of(case: Case, rng: random.Random) -> list[News]:
    """Everything the buyer will ever report on the delivery within the update window, in order."""
    habit = case.buyer.habit
    if rng.random() > habit.coverage:
        return []
    fate = _fate(case, rng)
    called_at = case.delivered_at + dt.timedelta(hours=_around(rng, habit.contact_hours, 0.8))
    steps = STORIES[fate](case, rng, called_at)
    steps += _return(fate, habit, rng, steps[-1][0])
    if rng.random() < habit.scores:
        steps[0][1]["quality_score"] = _score(case, fate, rng)
    closes_at = case.delivered_at + dt.timedelta(days=case.flow.window_days)
    news = [News(at, next_sending(case.buyer, at), values) for at, values in steps]
    return [each for each in news if each.sent_at < closes_at]


def next_sending(buyer: BuyerWorld, moment: dt.datetime) -> dt.datetime:
    """The first time after ``moment`` at which the buyer sends feedback, by their own clock."""
    habit, zone = buyer.habit, zoneinfo.ZoneInfo(buyer.timezone)
    local = moment.astimezone(zone)
    for days in range(8):
        day = local.date() + dt.timedelta(days=days)
        for hour in habit.sends_at:
            at = dt.datetime.combine(day, dt.time(hour), zone).astimezone(dt.UTC)
            if at > moment and day.weekday() in habit.weekdays:
                return at
    raise ValueError(f"{buyer.name} never sends anything")


Step = tuple[dt.datetime, dict[str, Any]]


def _fate(case: Case, rng: random.Random) -> str:
    """The outcome in the end, before a return."""
    source, chance = case.source, rng.random()
    bad = on_day(source.bad_info, case.day)
    if chance < bad:
        return "bad_info"
    if chance < bad + source.duplicate:
        return "duplicate"
    if rng.random() < on_day(source.conversion, case.day) / (1 - bad - source.duplicate):
        return "converted"
    if rng.random() > source.reach:
        return "no_contact"
    return "not_interested" if rng.random() < 0.62 else "contacted"


def _score(case: Case, fate: str, rng: random.Random) -> int:
    mean = ISSUES.get(fate) or on_day(case.source.quality, case.day) + LIFT[fate]
    return min(max(round(rng.gauss(mean - case.buyer.habit.harshness, 0.7)), 1), 5)


def _around(rng: random.Random, median: float, spread: float) -> float:
    """A positive number around the median, skewed to the right as waiting times are."""
    return median * math.exp(rng.gauss(0, spread))


def _later(rng: random.Random, moment: dt.datetime, median_days: float) -> dt.datetime:
    return moment + dt.timedelta(days=_around(rng, median_days, 0.6))


def _money(value: float) -> Decimal:
    return Decimal(str(round(value, 2))).quantize(Decimal("0.01"))


def _wrong(outcome: str) -> Callable[[Case, random.Random, dt.datetime], list[Step]]:
    def story(case: Case, rng: random.Random, called_at: dt.datetime) -> list[Step]:
        notes = rng.choice(BAD_INFO_NOTES) if outcome == "bad_info" else "In our system since last year"
        return [(called_at, {"outcome": outcome, "notes": notes})]

    return story


def _no_contact(case: Case, rng: random.Random, called_at: dt.datetime) -> list[Step]:
    return [(_later(rng, called_at, 2), {"outcome": "no_contact", "notes": "Never answered"})]


def _contacted(case: Case, rng: random.Random, called_at: dt.datetime) -> list[Step]:
    values: dict[str, Any] = {"outcome": "contacted", "contacted_date": called_at.isoformat()}
    if rng.random() < 0.25:
        values["notes"] = rng.choice(NOTES)
    return [(called_at, values | FIRST_TALK[case.flow.preset](rng, called_at))]


def _not_interested(case: Case, rng: random.Random, called_at: dt.datetime) -> list[Step]:
    if rng.random() < 0.5:  # said so at once
        values = {"outcome": "not_interested", "contacted_date": called_at.isoformat()}
        return [(called_at, values)]
    return [*_contacted(case, rng, called_at), (_later(rng, called_at, 3), {"outcome": "not_interested"})]


def _converted(case: Case, rng: random.Random, called_at: dt.datetime) -> list[Step]:
    sold_at = max(_later(rng, case.delivered_at, case.flow.closing_days), called_at + dt.timedelta(hours=1))
    revenue = _money(_around(rng, case.flow.sale, 0.35))
    values = {
        "outcome": "converted",
        "revenue": revenue,
        "commission": _money(float(revenue) * case.flow.commission),
        **SALE[case.flow.preset](rng, revenue, sold_at),
    }
    return [*_contacted(case, rng, called_at), (sold_at, values)]


STORIES: dict[str, Callable[[Case, random.Random, dt.datetime], list[Step]]] = {
    "bad_info": _wrong("bad_info"),
    "duplicate": _wrong("duplicate"),
    "no_contact": _no_contact,
    "contacted": _contacted,
    "not_interested": _not_interested,
    "converted": _converted,
}


def _return(fate: str, habit: Habit, rng: random.Random, after: dt.datetime) -> list[Step]:
    """The lead sent back some days later, as it is this buyer's habit."""
    wrong = fate in ("bad_info", "duplicate")
    if fate == "converted" or rng.random() > (habit.returns if wrong else habit.grudge):
        return []
    reason = rng.choice(RETURN_REASONS if wrong else GRUDGE_REASONS)
    return [(_later(rng, after, 2), {"outcome": "returned", "reason": reason})]


def _nothing(rng: random.Random, at: dt.datetime) -> dict[str, Any]:
    return {}


def _appointment(rng: random.Random, at: dt.datetime) -> dict[str, Any]:
    if rng.random() < 0.5:
        return {"appointment_set": False}
    day = (at + dt.timedelta(days=rng.randint(2, 12))).date()
    return {"appointment_set": True, "appointment_date": day.isoformat()}


def _application(rng: random.Random, at: dt.datetime) -> dict[str, Any]:
    return {"credit_pulled": rng.random() < 0.4}


FIRST_TALK = {"insurance": _nothing, "solar": _appointment, "mortgage": _application}


def _policy(rng: random.Random, revenue: Decimal, at: dt.datetime) -> dict[str, Any]:
    return {
        "policy_sold": True,
        "premium_amount": _money(float(revenue) / 6),
        "policy_type": rng.choice(("auto", "auto", "auto", "home", "renters")),
        "underwriting_result": "approved",
        "product_details": {"term_months": rng.choice((6, 12)), "drivers": rng.randint(1, 3)},
    }


def _system(rng: random.Random, revenue: Decimal, at: dt.datetime) -> dict[str, Any]:
    return {
        "system_size": f"{max(round(float(revenue) / 2100), 3)}kW",
        "financing_approved": rng.random() < 0.8,
    }


def _loan(rng: random.Random, revenue: Decimal, at: dt.datetime) -> dict[str, Any]:
    return {
        "loan_amount": _money(round(float(revenue) * 75, -3)),
        "loan_type": rng.choice(("purchase", "refinance", "fha", "va")),
        "application_date": (at - dt.timedelta(days=rng.randint(4, 15))).date().isoformat(),
        "rate_locked": True,
    }


SALE = {"insurance": _policy, "solar": _system, "mortgage": _loan}
