"""How long until it happens, when for the young it may still happen. Pure: times in, a curve out.

A lead sold last week that has not converted is not a lead that will not convert: its time to conversion is
*censored* at its age. Kaplan and Meier's product-limit estimate uses every lead for as long as it was
watched:

    S(t) = Π over times u ≤ t of (1 − d(u) / r(u)),

d(u) leads converted at the age u, of r(u) that were watched to that age. 1 − S(t) is the share that converts
within t, without the bias of the naive share, which divides the conversions so far by all leads, and of which
a source that grows has many young ones. It asks that leads of one age are alike, whenever they were sold. The
interval is Greenwood's on the scale of log(−log S), which keeps it between 0 and 1.

E. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958). M. Greenwood,
*The errors of sampling of the survivorship tables* (1926). J. Kalbfleisch, R. Prentice, *The Statistical
Analysis of Failure Time Data* (1980), 1.4: the log-log interval. R. Brookmeyer, J. Crowley, "A confidence
interval for the median survival time", Biometrics 38 (1982).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flows.evidence import Z95

Times = Iterable[float] | Mapping[float, int]


@dataclass(frozen=True, slots=True)
class Step:
    """From ``time`` on, the share that converted is ``share``, with its 95 % interval, until the next step.

    ``at_risk`` were watched to that time, and ``events`` of them converted at it.
    """

    time: float
    at_risk: int
    events: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The share that converted within each time. ``watched``: how many in all; ``until``: the oldest's age.

    Beyond ``until`` nothing is known.
    """

    steps: tuple[Step, ...]
    watched: int
    until: float

    def at(self, time: float) -> Step | None:
        """The step that holds at ``time``; None before the first, when nothing has converted."""
        index = bisect_right(self.steps, time, key=lambda step: step.time)
        return self.steps[index - 1] if index else None

    def share(self, time: float) -> float:
        """The share that converts within ``time``."""
        step = self.at(time)
        return step.share if step else 0.0

    def median(self, horizon: float) -> tuple[float, float, float] | None:
        """The median time of those that convert within ``horizon``, with an interval; None without any.

        When the curve comes to half of what it is at the horizon. Most leads never convert, so the median
        over all leads does not exist. The interval are the times at which half is within the curve's own
        (Brookmeyer and Crowley); how sure the height at the horizon is, is left out of it, so it is somewhat
        too wide or narrow where few are watched so long.
        """
        half = self.share(horizon) / 2
        within = [step for step in self.steps if step.time <= horizon]
        if not half:
            return None
        return (
            _first(within, [step.share for step in within], half, horizon),
            _first(within, [step.high for step in within], half, horizon),
            _first(within, [step.low for step in within], half, horizon),
        )


def curve(converted: Times, waiting: Times) -> Curve:
    """Of the times at which leads converted, and of the ages of those that have not (both in days, ≥ 0).

    Either one by one, or how many there are of each.
    At the same time those that convert go first, as Kaplan and Meier have it.
    """
    events, leaving = Counter[float](converted), Counter[float](waiting)
    watched = events.total() + leaving.total()
    at_risk, log_left, variance = watched, 0.0, 0.0
    steps = []
    for time in sorted(events.keys() | leaving.keys()):
        happened = events[time]
        if happened:
            stay = at_risk - happened
            log_left = log_left + math.log(stay / at_risk) if stay else -math.inf
            variance += happened / (at_risk * stay) if stay else 0.0
            low, high = _interval(log_left, variance)
            steps.append(Step(time, at_risk, happened, 1 - math.exp(log_left), low, high))
        at_risk -= happened + leaving[time]
    return Curve(tuple(steps), watched, max((*events, *leaving), default=0.0))


def _interval(log_left: float, variance: float) -> tuple[float, float]:
    """Of the share 1 − S, from log S and Greenwood's sum; where none is left it says nothing."""
    if log_left == -math.inf:
        return 0.0, 1.0
    spread = Z95 * math.sqrt(variance) / -log_left
    return 1 - math.exp(log_left * math.exp(-spread)), 1 - math.exp(log_left * math.exp(spread))


def _first(steps: Sequence[Step], heights: Sequence[float], wanted: float, otherwise: float) -> float:
    """The time of the first step as high as ``wanted``, but for the last digits of floats."""
    least = wanted - 1e-12
    return next(
        (step.time for step, height in zip(steps, heights, strict=True) if height >= least), otherwise
    )
