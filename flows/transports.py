"""Ways out of the house: one small class each, by the kind of outbox message that it sends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from typing import ClassVar

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from flows import egress, events, signing
from flows.models import Endpoint, OutboxMessage

GONE = 410
BUSY = (429, 503)  # with which a receiver may say when it will have time


@dataclass(frozen=True, slots=True)
class Sent:
    """That a message has left. ``detail``: the beginning of what was answered."""

    status_code: int | None = None
    detail: str = ""


class PermanentError(Exception):
    """Sending this again will not help."""


class AnsweredError(Exception):
    """The receiver answered that it did not take it. ``retry_after``: as it said when to come again."""

    def __init__(self, status_code: int, detail: str, retry_after: str | None = None) -> None:
        super().__init__(f"The receiver answered {status_code}{_meaning(status_code)}.")
        self.status_code = status_code
        self.detail = detail
        self.retry_after = retry_after if status_code in BUSY else None


class ServerAwayError(Exception):
    """Nothing reaches the mail server at present, this message or another."""


class Transport(ABC):
    """Sends one message. Any exception is a failed attempt; PermanentError is the last one.

    It runs in a thread of its own, outside any transaction, and asks the database nothing: a message comes
    with its endpoint.
    """

    kind: ClassVar[str]

    @abstractmethod
    def send(self, message: OutboxMessage) -> Sent: ...


class Email(Transport):
    """Payload: ``{"to": [addresses], "subject", "body"}``."""

    kind = "email"

    def send(self, message: OutboxMessage) -> Sent:
        payload = message.payload
        if not payload.get("to"):
            raise PermanentError("There is nobody to send it to.")
        letter = mail.EmailMessage(
            subject=" ".join(payload["subject"].split()),  # a name with a line break would be refused
            body=payload["body"],
            to=payload["to"],
            # One id for every attempt: a mailbox can tell a repetition from news.
            headers={"Message-ID": f"<outbox-{message.pk}@{_sender_domain()}>"},
        )
        server = mail.get_connection()
        try:
            _reach(server)
            server.send_messages([letter])
        finally:
            server.close()
        return Sent()


class Slack(Transport):
    """To a Slack-style incoming webhook. Payload: ``{"body": the JSON text as it is sent}``."""

    kind = "slack"

    def send(self, message: OutboxMessage) -> Sent:
        endpoint, body = message.endpoint, message.payload["body"]
        if endpoint is None:
            raise PermanentError("It has no endpoint.")
        if not endpoint.enabled and message.event != events.PING:
            raise PermanentError("The endpoint was switched off. Switch it on, then send this again.")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Leadloop-Webhooks",
            **self.headers(endpoint, message.event_id, body),
        }
        answer = egress.post(endpoint.url, body.encode(), headers)
        if not 200 <= answer.status < 300:
            raise AnsweredError(answer.status, answer.text, answer.retry_after)
        return Sent(answer.status, answer.text)

    def headers(self, endpoint: Endpoint, event_id: str, body: str) -> Mapping[str, str]:
        return {}


class Webhook(Slack):
    """The same, signed as Standard Webhooks asks: https://www.standardwebhooks.com."""

    kind = "webhook"

    def headers(self, endpoint: Endpoint, event_id: str, body: str) -> Mapping[str, str]:
        return signing.signed(endpoint, event_id, body, now=timezone.now())


def _reach(server: BaseEmailBackend) -> None:
    """Connect, introduce and log in."""
    try:
        server.open()
    except OSError as error:
        why = str(error) or type(error).__name__
        raise ServerAwayError(f"The mail server cannot be reached: {why}") from None


def _meaning(status_code: int) -> str:
    if 300 <= status_code < 400:
        return ": a redirect, which is not followed. Give the address that it leads to"
    return ": gone for good" if status_code == GONE else ""


def _sender_domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


REGISTRY: dict[str, Transport] = {transport.kind: transport for transport in (Email(), Webhook(), Slack())}


def get(kind: str) -> Transport:
    """The transport of that kind. PermanentError where there is none."""
    try:
        return REGISTRY[kind]
    except KeyError:
        raise PermanentError(f"There is no transport “{kind}”.") from None
