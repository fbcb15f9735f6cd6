"""How an endpoint stands: what it hears keeps it, what it fails at for too long switches it off."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from flows.conditions import clear, hold, settle
from flows.models import Alert, Endpoint, OutboxMessage
from flows.transports import GONE, AnsweredError

PATIENCE = dt.timedelta(days=5)


def heard(endpoint: Endpoint | None) -> None:
    """It took a message: what failed before is forgotten."""
    if endpoint:  # by the row, not by what was read with the batch: another worker may have failed since
        Endpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=False).update(failing_since=None)


def failed(endpoint: Endpoint, error: Exception, *, now: dt.datetime) -> None:
    """It did not: note since when, and switch it off where it is gone (410) or has failed for five days.

    In the transaction that notes the attempt. Of several workers, one switches it off and tells the team.
    """
    mine = Endpoint.objects.filter(pk=endpoint.pk)
    mine.filter(failing_since=None).update(failing_since=now)
    since = mine.values_list("failing_since", flat=True).first() or now
    if isinstance(error, AnsweredError) and error.status_code == GONE:
        _switch_off(endpoint, "It answered 410: gone for good.", now)
    elif now - since >= PATIENCE:
        _switch_off(endpoint, f"Nothing has reached it for {PATIENCE.days} days.", now)


@transaction.atomic
def switch_on(endpoint: Endpoint) -> None:
    """Send to it again, as if it had never failed. What was given up meanwhile can be sent again."""
    endpoint.enabled, endpoint.failing_since = True, None
    endpoint.disabled_at, endpoint.disabled_reason = None, ""
    endpoint.save(update_fields=["enabled", "failing_since", "disabled_at", "disabled_reason"])
    clear(endpoint.seller_id, _condition(endpoint), now=timezone.now(), why="It was switched on again.")


def switch_off(endpoint: Endpoint) -> None:
    """Send nothing more to it, as a person wishes."""
    endpoint.enabled = False
    endpoint.save(update_fields=["enabled"])


@transaction.atomic
def delete(endpoint: Endpoint, *, now: dt.datetime) -> None:
    """Delete it with all that was sent or waits, and let no alert of it stand."""
    condition = _condition(endpoint)
    endpoint.delete()
    clear(endpoint.seller_id, condition, now=now, why="It was deleted.")


def given_up(endpoint: Endpoint) -> QuerySet[OutboxMessage]:
    """Its dead letters."""
    return OutboxMessage.objects.filter(endpoint=endpoint, status=OutboxMessage.Status.DEAD)


def settle_alerts(seller_id: int, *, now: dt.datetime) -> None:
    """Let no alert stand of an endpoint that is there no more."""
    off = Endpoint.objects.filter(seller=seller_id, enabled=False)
    settle(seller_id, "endpoint", {}, {_condition(each) for each in off}, now=now)


def _switch_off(endpoint: Endpoint, why: str, now: dt.datetime) -> None:
    on = Endpoint.objects.filter(pk=endpoint.pk, enabled=True)
    if on.update(enabled=False, disabled_at=now, disabled_reason=why):
        page = reverse("admin:flows_endpoint_change", args=(endpoint.pk,))
        alert = Alert(
            level=Alert.Level.WARN,
            title=f"Endpoint “{endpoint.name}” was switched off"[:160],
            body=f"{why} Mend it, then switch it on again and send what was given up: {page}",
            created_at=now,
        )
        hold(endpoint.seller_id, _condition(endpoint), lambda: alert)


def _condition(endpoint: Endpoint) -> str:
    return f"endpoint:{endpoint.pk}"
