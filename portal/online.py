"""Migrations that leave a running installation at work."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import AddIndex

POSTGRESQL = "postgresql"


class AddIndexOnline(AddIndex):
    """Build an index without locking the table for writes, where the database can.

    On PostgreSQL the migration must not be atomic. A build that was interrupted leaves an index that is not
    valid: it is dropped and built again.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != POSTGRESQL:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            name = schema_editor.quote_name(self.index.name)
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            schema_editor.add_index(model, self.index, concurrently=True)
