"""Who there is in the demo world, and how each of them is: sources of true quality, buyers of habit. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
import random
import zoneinfo
from dataclasses import dataclass
from decimal import Decimal

SEED = 20_240_115
DAYS = 120
DELIVERIES = 20_000
WEEKDAY_WEIGHT = (1.1, 1.1, 1.05, 1.05, 1.0, 0.65, 0.5)  # of leads; Monday first
HOUR_WEIGHT = (1, 1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 10, 10, 9, 8, 8, 9, 9, 8, 6, 4, 2)
FIRST, LAST = 0, 1  # a trend is a value on the first and one on the last day
Trend = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SourceTruth:
    """What a source really delivers; nobody in the world knows it, they see feedback.

    ``volume`` is its share of the flow's leads, ``conversion`` the share that buys in the end, ``quality``
    the mean score a fair buyer gives, ``bad_info`` the share with a wrong number, ``reach`` the share of
    the others who pick up the phone. ``first_day`` is when it was taken on.
    """

    name: str
    slug: str
    base_price: Decimal
    daily_cap: int | None
    volume: float
    conversion: Trend
    quality: Trend
    bad_info: Trend
    duplicate: float = 0.03
    reach: float = 0.72
    first_day: int = 0


@dataclass(frozen=True, slots=True)
class Habit:
    """How a buyer reports.

    ``coverage``: the share of leads they ever say anything about. ``contact_hours``: the median time until
    they call. ``sends_at``: the local hours at which feedback leaves them; ``weekdays``: on which days (0 is
    Monday). ``returns``: the share of bad leads that they send back; ``grudge``: the share of decent, unsold
    leads that they send back as well. ``scores``: the share they rate.
    """

    coverage: float
    contact_hours: float
    sends_at: tuple[int, ...]
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    returns: float = 0.15
    grudge: float = 0.0
    scores: float = 0.8
    harshness: float = 0.0  # taken off each score


FAST = Habit(coverage=0.97, contact_hours=1.5, sends_at=(9, 12, 15, 18, 21))
STEADY = Habit(coverage=0.93, contact_hours=5, sends_at=(11, 17), weekdays=(0, 1, 2, 3, 4))
DAILY = Habit(coverage=0.9, contact_hours=9, sends_at=(9,))
SLOW = Habit(coverage=0.86, contact_hours=30, sends_at=(8,), weekdays=(0,), scores=0.6)
SILENT = Habit(coverage=0.18, contact_hours=48, sends_at=(16,), weekdays=(2,), scores=0.3)
RETURNING = Habit(coverage=0.95, contact_hours=8, sends_at=(10, 16), returns=0.75, grudge=0.12, harshness=0.2)


@dataclass(frozen=True, slots=True)
class BuyerWorld:
    """A buyer, the people who work there, and their share of the flow's leads."""

    name: str
    slug: str
    habit: Habit
    share: float
    manager: str
    agent: str
    timezone: str = "America/New_York"
    crm: str = ""  # the prefix of their own ids, where their CRM sends them
    schedule: str = "none"  # as agreed: a word of flows/schedules.py


@dataclass(frozen=True, slots=True)
class FlowWorld:
    """A flow. ``closing_days``: the median time from delivery to sale; ``sale``: the median revenue of one.

    ``maturity_days``: how old deliveries must be before the seller lets rules judge their conversion.
    """

    public_id: str
    name: str
    preset: str
    timezone: str
    share: float
    window_days: int
    closing_days: float
    maturity_days: int
    sale: float
    commission: float  # of the revenue
    sources: tuple[SourceTruth, ...]
    buyers: tuple[BuyerWorld, ...]


@dataclass(frozen=True, slots=True)
class SellerWorld:
    """A tenant."""

    name: str
    slug: str
    timezone: str
    owner: str
    analyst: str
    flows: tuple[FlowWorld, ...]


AUTO = FlowWorld(
    public_id="flw_auto",
    name="Auto insurance",
    preset="insurance",
    timezone="America/New_York",
    share=0.5,
    window_days=90,
    closing_days=4,
    maturity_days=21,
    sale=1250,
    commission=0.12,
    sources=(
        SourceTruth(
            "Quotewise",
            "quotewise",
            Decimal(32),
            60,
            0.3,
            (0.125, 0.15),
            (4.5, 4.6),
            (0.03, 0.02),
            reach=0.86,
        ),
        SourceTruth(
            "Search NW",
            "search-nw",
            Decimal(28),
            None,
            0.32,
            (0.095, 0.1),
            (4.1, 4.1),
            (0.06, 0.05),
            reach=0.8,
        ),
        SourceTruth("Facebook", "facebook", Decimal(18), 80, 0.28, (0.08, 0.085), (3.7, 3.8), (0.1, 0.08)),
        SourceTruth(
            "Mailer 12",
            "mailer-12",
            Decimal(12),
            40,
            0.1,
            (0.055, 0.025),
            (4.4, 2.55),
            (0.09, 0.17),
            reach=0.6,
        ),
    ),
    buyers=(
        BuyerWorld(
            "Alpine Insurance", "alpine", FAST, 0.6, "Jonas Weber", "Mia Torres", "America/New_York", "ALP"
        ),
        BuyerWorld("Crestview Mutual", "crestview", SLOW, 0.4, "Ruth Adeyemi", "Paul Novak"),
    ),
)
SOLAR = FlowWorld(
    public_id="flw_solar",
    name="Solar West",
    preset="solar",
    timezone="America/Denver",
    share=0.3,
    window_days=90,
    closing_days=8,
    maturity_days=21,
    sale=16_500,
    commission=0.05,
    sources=(
        SourceTruth(
            "Sunpath", "sunpath", Decimal(65), 26, 0.5, (0.1, 0.12), (4.85, 5.2), (0.02, 0.02), reach=0.88
        ),
        SourceTruth("Roofline", "roofline", Decimal(48), None, 0.36, (0.085, 0.08), (4.0, 3.9), (0.06, 0.08)),
        SourceTruth(
            "Partner X",
            "partner-x",
            Decimal(40),
            20,
            0.14,
            (0.05, 0.05),
            (2.8, 2.8),
            (0.1, 0.1),
            first_day=DAYS - 9,
        ),
    ),
    buyers=(
        BuyerWorld("Sunrise Solar", "sunrise", STEADY, 0.55, "Dana Ortiz", "Kofi Mensah", "America/Denver"),
        BuyerWorld(
            "Helio Homes", "helio", RETURNING, 0.45, "Vera Lindqvist", "Sean Doyle", "America/Los_Angeles"
        ),
    ),
)
MORTGAGE = FlowWorld(
    public_id="flw_mortgage",
    name="Home mortgage",
    preset="mortgage",
    timezone="America/Chicago",
    share=0.2,
    window_days=120,
    closing_days=14,
    maturity_days=28,
    sale=4200,
    commission=0.25,
    sources=(
        SourceTruth(
            "RateFinder",
            "ratefinder",
            Decimal(55),
            40,
            0.45,
            (0.17, 0.2),
            (4.4, 4.4),
            (0.04, 0.04),
            reach=0.82,
        ),
        SourceTruth(
            "Loan Compass", "loan-compass", Decimal(42), None, 0.35, (0.11, 0.1), (3.8, 3.7), (0.08, 0.08)
        ),
        SourceTruth(
            "Callpoint 9",
            "callpoint-9",
            Decimal(20),
            30,
            0.2,
            (0.02, 0.01),
            (4.9, 4.7),
            (0.3, 0.36),
            reach=0.5,
        ),
    ),
    buyers=(
        BuyerWorld(
            "Harbor Home Loans", "harbor", DAILY, 0.7, "Grace Hall", "Ivan Petrov", "America/Chicago", "HHL"
        ),
        BuyerWorld(
            "Lakeside Lending", "lakeside", SILENT, 0.3, "Omar Haddad", "Lucy Chen", schedule="weekly"
        ),
    ),
)
SELLERS = (
    SellerWorld(
        "Brightline Leads", "brightline", "America/New_York", "Sam Reyes", "Priya Nair", (AUTO, SOLAR)
    ),
    SellerWorld(
        "Northfield Media", "northfield", "America/Chicago", "Ellen Brooks", "Marcus Lee", (MORTGAGE,)
    ),
)
ADMIN = "Robin Park"

# The ids of the examples in the documentation. They are delivered to the first buyer of the first flow on the
# last day, without feedback; evt_125 of the same examples is left out, so that a file has a row to refuse.
EXAMPLE_IDS = ("evt_abc123", "evt_123", "evt_124")


def daily_targets(total: int, first: dt.date) -> list[int]:
    """How many leads a flow sells on each of the DAYS days from ``first``: fewer at weekends."""
    weights = [WEEKDAY_WEIGHT[(first + dt.timedelta(days=n)).weekday()] for n in range(DAYS)]
    marks = [round(total * sum(weights[:n]) / sum(weights)) for n in range(DAYS + 1)]
    return [after - before for before, after in itertools.pairwise(marks)]


def bounds(rng: random.Random, now: dt.datetime) -> list[dt.datetime]:
    """Where one day ends and the next begins: DAYS + 1 moments until ``now``, not all at the same hour."""
    inner = [now - dt.timedelta(days=n, minutes=rng.randint(-540, 540)) for n in range(DAYS - 1, 0, -1)]
    return [now - dt.timedelta(days=DAYS), *inner, now]


def moment_between(
    rng: random.Random, begin: dt.datetime, end: dt.datetime, zone: zoneinfo.ZoneInfo
) -> dt.datetime:
    """A moment, to the second, at an hour at which people fill in forms."""
    while True:
        moment = begin + dt.timedelta(seconds=rng.randrange(int((end - begin).total_seconds())))
        if rng.random() * max(HOUR_WEIGHT) < HOUR_WEIGHT[moment.astimezone(zone).hour]:
            return moment


def on_day(trend: Trend, day: float) -> float:
    """The value of a trend on a day, counted from 0."""
    return trend[FIRST] + (trend[LAST] - trend[FIRST]) * min(max(day / DAYS, 0), 1)
