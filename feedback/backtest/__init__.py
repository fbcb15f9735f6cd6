"""Try on history: what a rule would have done in the last days, on what was known on each of them.

`load` reads the past, `replay` lives through it, `words` tells the outcome.
"""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from feedback.backtest.past import TooMuch, load
from feedback.backtest.replay import replay
from feedback.backtest.result import Backtest
from flows.models import Rule

__all__ = ["Backtest", "TooMuch", "backtest"]


def backtest(
    rule: Rule, *, days: int = 90, now: dt.datetime | None = None, most: int | None = None
) -> Backtest:
    """What the rule would have done on each of the last ``days`` days, today included. Changes nothing.

    Whether the rule is switched on does not matter. ``most``: TooMuch where more deliveries than that bear on
    it. BadRule where the rule cannot be carried out. The number of queries is fixed.
    """
    return replay(load(rule, days, now or timezone.now(), most))
