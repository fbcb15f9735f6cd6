"""What every lead is asked against is found by its index, on long lists."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows.models import SuppressionList
from flows.suppression import suppressed

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL explains itself"),
]
FILL = """
    INSERT INTO flows_suppressionentry (list_id, kind, value, reason, origin, added_at)
    SELECT %s, kind, 'v' || number || '@example.com', '', 'file', now()
    FROM generate_series(1, 50000) number, unnest(ARRAY['email', 'phone']) kind
"""


def nodes(plan: dict) -> list[dict]:
    """A plan and what is below it, flat."""
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


def plan_of(sql: str) -> list[dict]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"), [])
        (plans,) = cursor.fetchone()
    return nodes((json.loads(plans) if isinstance(plans, str) else plans)[0]["Plan"])


def test_leads_are_looked_up_by_the_index_among_100_000(world):
    listed = SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")
    with connection.cursor() as cursor:
        cursor.execute(FILL, [listed.pk])
        cursor.execute("ANALYZE flows_suppressionentry, flows_suppressionlist")
    for leads in (1, 250):
        values = [
            (kind, f"v{number}@example.com") for number in range(7, 7 + leads) for kind in ("email", "phone")
        ]
        with CaptureQueriesContext(connection) as captured:
            assert suppressed(world.seller, values) == set(values)
        (query,) = captured.captured_queries
        plan = plan_of(query["sql"])
        assert "Seq Scan" not in {
            node["Node Type"] for node in plan if node.get("Relation Name") == "flows_suppressionentry"
        }
        assert "suppression_by_value" in {node.get("Index Name") for node in plan}
