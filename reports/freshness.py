"""Whether the dashboard has anything new to say, without adding anything up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from flows.models import Alert, Decision
from reports.scope import Question


def etag(question: Question, decisions: Sequence[Decision], alerts: Sequence[Alert]) -> str:
    """Names the state that the page is drawn from.

    Per source, when its newest cell was computed: cells change in no other way. Beside that every row shown
    as it stands, and the minute, because "3 min ago" grows old by itself.
    """
    return f'"{hashlib.sha256(repr(list(_state(question, decisions, alerts))).encode()).hexdigest()[:32]}"'


def _state(question: Question, decisions: Sequence[Decision], alerts: Sequence[Alert]) -> Iterable[Any]:
    scope = question.scope
    yield scope.actor.side, scope.actor.party_id, scope.actor.role, scope.actor.timezone
    yield question.period, question.currency, question.now.replace(second=0, microsecond=0)
    yield [row and row.pk for row in (question.flow, question.buyer, question.source)]
    yield [(flow.pk, flow.name, flow.currency, flow.timezone) for flow in scope.flows]
    yield [(each.pk, each.name, each.status, each.status_reason, _computed(each)) for each in scope.sources]
    yield [
        (rule.pk, rule.threshold, rule.comparison, rule.maturity_days, rule.min_count) for rule in scope.rules
    ]
    yield [(each.pk, each.status, each.source.name) for each in decisions]
    yield [(each.pk, each.level, each.title) for each in alerts]


def _computed(source: Any) -> Any:
    return source.computed_at
