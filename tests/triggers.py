"""To damage data on purpose, where the database would not let us."""

from __future__ import annotations

from django.db import connection


def switch_off_append_only() -> None:
    """Let this transaction rewrite events on PostgreSQL too. Its owner may: no superuser is needed."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks to come cannot be altered
            cursor.execute("ALTER TABLE feedback_feedback DISABLE TRIGGER feedback_append_only")
