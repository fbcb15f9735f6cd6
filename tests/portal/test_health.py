"""/healthz: the process answers. /readyz: it could also work."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError, connection

from portal import health


def broken(*args, **kwargs):
    raise OperationalError("postgres://leadloop:secret@db/leadloop is away")


def test_the_process_answers_without_the_database(client, monkeypatch):
    monkeypatch.setattr(connection, "cursor", broken)
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.django_db
def test_ready_when_every_check_passes(client):
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "ok"
    assert set(body["checks"].values()) == {"ok"}
    assert {"database", "migrations"} <= set(body["checks"])


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["database", "migrations", "cache_store", "broker"])
def test_not_ready_when_one_fails_and_no_secret_is_told(client, monkeypatch, settings, name):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for each in ("database", "migrations", "cache_store", "broker"):
        monkeypatch.setattr(health, each, broken if each == name else lambda: True)
    response = client.get("/readyz")
    assert response.status_code == 503
    label = {"cache_store": "cache"}.get(name, name)
    assert response.json()["checks"][label] == "failed"
    assert list(response.json()["checks"].values()).count("failed") == 1
    assert "secret" not in json.dumps(response.json())


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_noticed():
    assert health.migrations()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'reports' OR name LIKE '0002%'")
    assert not health.migrations()


@pytest.mark.django_db
def test_a_broker_that_is_away_is_noticed(settings, monkeypatch):
    from portal.celery import app

    monkeypatch.setattr(app, "connection_for_write", broken)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert health.report()["broker"] == "failed"
