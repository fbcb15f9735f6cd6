"""A source that grows and whose leads convert late: how far three conversion rates are off. No Django."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass

from flows.survival import curve

DAYS, GROWTH, FIRST_DAY = 90, 1.03, 4  # looked at on the last day, of some 1,800 leads
RATE, MATURE, MEAN_DELAY = 0.10, 30, 9.0  # what converts in the end; within how many days; the usual delay


@dataclass(frozen=True)
class Bias:
    """How far an estimate is off on the average over many sources, and the standard error of that average."""

    name: str
    off: float
    error: float

    @property
    def errors(self) -> float:
        return self.off / self.error


def growing_source(runs: int = 400) -> tuple[Bias, Bias, Bias]:
    """The naive rate, that of mature leads alone, and Kaplan and Meier's, at as many sources as ``runs``."""
    rng = random.Random("growing source")
    naive, mature, estimated = zip(*(_rates(rng) for _ in range(runs)), strict=True)
    return (
        _bias("All leads, as far as they converted", naive),
        _bias(f"Only leads {MATURE} days old", mature),
        _bias("All leads, by Kaplan and Meier", estimated),
    )


def _bias(name: str, rates: tuple[float, ...]) -> Bias:
    return Bias(name, statistics.mean(rates) - RATE, statistics.stdev(rates) / math.sqrt(len(rates)))


def _rates(rng: random.Random) -> tuple[float, float, float]:
    converted, waiting, mature, mature_sold = [], [], 0, 0
    for day in range(DAYS):
        age = DAYS - day
        for _ in range(round(FIRST_DAY * GROWTH**day)):
            delay = _delay(rng) if rng.random() < RATE else math.inf
            sold = delay <= age
            (converted if sold else waiting).append(delay if sold else age)
            mature += age >= MATURE
            mature_sold += age >= MATURE and sold
    naive = len(converted) / (len(converted) + len(waiting))
    return naive, mature_sold / mature, curve(converted, waiting).share(MATURE)


def _delay(rng: random.Random) -> float:
    """Exponential, given that it is no more than `MATURE`."""
    most = 1 - math.exp(-MATURE / MEAN_DELAY)
    return -MEAN_DELAY * math.log(1 - rng.random() * most)
