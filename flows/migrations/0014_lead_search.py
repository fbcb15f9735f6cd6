"""Indexes for the search of leads, on PostgreSQL: parts of names, addresses and numbers; the buyer's own id.

They need the extension pg_trgm, which the owner of a database may create since PostgreSQL 13. Where that
fails, searching works as before, only more slowly with many leads; docs/operations.md says how to add them.
SQLite searches without.
"""

import logging

from django.db import DatabaseError, migrations, transaction

log = logging.getLogger(__name__)
# The expressions are those of Django's iexact, icontains, contains and istartswith.
INDEXES = {
    "lead_search": """flows_lead USING gin (
        UPPER(first_name::text) gin_trgm_ops,
        UPPER(last_name::text) gin_trgm_ops,
        UPPER(email::text) gin_trgm_ops,
        phone_e164 gin_trgm_ops)""",
    "delivery_by_own_id": """flows_delivery (buyer_id, UPPER(external_id::text) text_pattern_ops)
        WHERE external_id IS NOT NULL""",
}


def build(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    names = [name for name in INDEXES if name != "lead_search" or has_trigrams(schema_editor)]
    for name in names:
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        schema_editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {INDEXES[name]}")


def has_trigrams(schema_editor):
    try:
        with transaction.atomic(schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError as error:
        log.warning("The search of leads stays without its index: %s", str(error).strip())
        return False
    return True


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("flows", "0013_lead_list_indexes")]

    operations = [migrations.RunPython(build, drop)]
