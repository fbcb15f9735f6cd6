"""Row locks that both databases understand."""

from __future__ import annotations

from typing import TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def locked(rows: QuerySet[M], *, skip_locked: bool = False) -> QuerySet[M]:
    """The rows, locked until the transaction ends; order them, so that two lockers cannot wait in a circle.

    On PostgreSQL the lock leaves rows that refer to these ones free to come in (``FOR NO KEY UPDATE``). On
    SQLite the transaction itself holds the only write lock, and there is nothing to skip.
    """
    has = connections[rows.db].features
    return rows.select_for_update(
        skip_locked=skip_locked and has.has_select_for_update_skip_locked,
        no_key=has.has_select_for_no_key_update,
    )
