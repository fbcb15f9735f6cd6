"""Whether this installation can do its work: every dependency is asked, none is trusted."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

log = logging.getLogger("leadloop.health")


def database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def migrations() -> bool:
    """Nothing is left to apply."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def cache_store() -> bool:
    """What is written can be read back."""
    value = secrets.token_hex(8)
    cache.set("health", value, timeout=10)
    return bool(cache.get("health") == value)


def broker() -> bool:
    """The broker takes a connection."""
    from portal.celery import app

    with app.connection_for_write() as broker_connection:
        broker_connection.ensure_connection(max_retries=1, timeout=2)
    return True


def checks() -> dict[str, Callable[[], bool]]:
    """By name; cache and broker only where they are services of their own."""
    asked: dict[str, Callable[[], bool]] = {"database": database, "migrations": migrations}
    if settings.REDIS_URL:
        asked |= {"cache": cache_store, "broker": broker}
    return asked


def report() -> dict[str, str]:
    """``"ok"`` or ``"failed"`` by check. Why it failed goes into the log only: it may hold addresses."""
    return {name: "ok" if _passes(name, check) else "failed" for name, check in checks().items()}


def _passes(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # a health check reports whatever goes wrong
        log.exception("Health check %s failed", name)
        return False
