"""A rule is switched off while a worker decides by it: nothing that it suggested or told is left behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from flows import decisions, rule_changes
from flows.actions.base import Target
from flows.locks import locked
from flows.models import Alert, Decision, Rule, Source
from tests.conftest import make_world
from tests.processes import wait_until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time"),
]
COLUMNS = {"metric": "average_quality", "comparison": "below", "threshold": 3}
NUMBERS = {
    **COLUMNS, "value": 1.0, "low": 1.0, "high": 1.0, "count": 30, "min_count": 30, "window_days": 30,
    "maturity_days": 0, "from": "2025-10-14", "to": "2025-11-12", "evidence": "point",
}  # fmt: skip


def change(how, rule: Rule) -> None:
    """As the rule's page does."""
    try:
        with transaction.atomic():
            if how == "delete":
                rule_changes.end(rule)
                rule.delete()
            else:
                rule_changes.hold_still(rule)
                Rule.objects.filter(pk=rule.pk).update(enabled=False)
                rule_changes.settle(Rule.objects.select_related("flow").get(pk=rule.pk))
    finally:
        connections.close_all()


def someone_waits() -> bool:
    """For what this connection holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks "
            "WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("how", ["switch off", "delete"])
@pytest.mark.parametrize("columns", [{"action": "pause_source", "mode": "suggest"}, {"action": "alert"}])
def test_what_is_decided_meanwhile_is_taken_back_too(transactional_db, how, columns):
    world = make_world()
    rule = Rule.objects.create(flow=world.flow, name="R", **COLUMNS, **columns)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            (source,) = locked(Source.objects.filter(pk=world.source.pk).select_related("flow"))
            by = Rule.objects.select_related("flow").get()
            changing = pool.submit(change, how, rule)
            wait_until(lambda: changing.done() or someone_waits(), 20)
            assert decisions.decide(by, [Target(source, "1", "Bad", NUMBERS)], now=rule.created_at)
        changing.result(timeout=20)
    assert not Decision.objects.filter(status="suggested").exists()
    assert not Alert.objects.filter(resolved_at=None).exclude(condition="").exists()
    assert not Rule.objects.filter(enabled=True).exists()
