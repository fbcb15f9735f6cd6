"""Ways out of the house: one small class each, by the kind of outbox message that it sends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from email.utils import parseaddr
from typing import ClassVar

from django.conf import settings
from django.core.mail import EmailMessage

from flows.models import OutboxMessage


class PermanentError(Exception):
    """Sending this again will not help."""


class Transport(ABC):
    """Sends one message. Any exception is a failed attempt; PermanentError is the last one."""

    kind: ClassVar[str]

    @abstractmethod
    def send(self, message: OutboxMessage) -> None: ...


class Email(Transport):
    """Payload: ``{"to": [addresses], "subject", "body"}``."""

    kind = "email"

    def send(self, message: OutboxMessage) -> None:
        payload = message.payload
        if not payload.get("to"):
            raise PermanentError("There is nobody to send it to.")
        EmailMessage(
            subject=" ".join(payload["subject"].split()),  # a name with a line break would be refused
            body=payload["body"],
            to=payload["to"],
            # One id for every attempt: a mailbox can tell a repetition from news.
            headers={"Message-ID": f"<outbox-{message.pk}@{_sender_domain()}>"},
        ).send()


def _sender_domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


REGISTRY: dict[str, Transport] = {transport.kind: transport for transport in (Email(),)}


def get(kind: str) -> Transport:
    """The transport of that kind. PermanentError where there is none."""
    try:
        return REGISTRY[kind]
    except KeyError:
        raise PermanentError(f"There is no transport “{kind}”.") from None
