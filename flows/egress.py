"""The only way out over HTTP: to public addresses, without redirects, within 15 seconds.

Sellers type the addresses, so each is looked up once, every answer of the look-up is held against the ranges
that lie inward, and the connection goes to one of just these answers: a name that leads elsewhere at a second
look-up changes nothing. Proxies named in the environment are not used, as they would look it up again. What
lies inward and is meant (an in-house CRM) is named by the operator: LEADLOOP_EGRESS_ALLOW.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any

from django.conf import settings

from flows.targets import BlockedError, EgressError, Target, require_public, target_of

TOTAL_SECONDS = 15.0  # look-up, connection, TLS, request and answer together
CONNECT_SECONDS = 5.0  # for one of several addresses
MOST_BYTES = 64 * 1024  # of the answer, its head included


@dataclass(frozen=True, slots=True)
class Answer:
    """``text``: the beginning of the body, as it could be read."""

    status: int
    text: str
    retry_after: str | None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send the body there. EgressError where no whole answer came in time; any status is an answer.

    Must not be called within a database transaction.
    """
    deadline = time.monotonic() + TOTAL_SECONDS
    target = target_of(url)
    addresses = _checked(target, deadline)
    try:
        with _connect(target, addresses, deadline) as wire:
            return _exchange(target, wire, body, headers)
    except TimeoutError:
        raise EgressError(f"There was no whole answer within {TOTAL_SECONDS:.0f} seconds.") from None
    except ssl.SSLCertVerificationError as error:
        raise EgressError(f"The certificate of {target.host} is not valid: {error.verify_message}.") from None
    except (OSError, http.client.HTTPException) as error:
        raise EgressError(f"{target.host} did not answer in HTTP: {_words(error)}.") from None


def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of a name. OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _checked(target: Target, deadline: float) -> list[str]:
    """The addresses of the target, looked up once; BlockedError where any of them lies inward."""
    addresses = _look_up(target, deadline)
    if not settings.EGRESS_ALLOW.place(target.host, target.port):
        for address in addresses:
            try:
                ip = ip_address(address)  # an address with a zone (fe80::1%eth0) is one of the inward ones
            except ValueError:
                raise BlockedError(f"{target.host} leads to an odd address.") from None
            require_public(ip, target.host)
    return addresses


def _look_up(target: Target, deadline: float) -> list[str]:
    """`resolve` in a thread: the system's look-up knows no time limit."""
    answers: queue.Queue[list[str] | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="look-up").start()
    try:
        answer = answers.get(timeout=max(deadline - time.monotonic(), 0))
    except queue.Empty:
        raise EgressError(f"Looking up {target.host} took too long.") from None
    if isinstance(answer, Exception) or not answer:
        raise EgressError(f"There is no host {target.host}: its name leads nowhere.")
    return answer


class _Wire:
    """A connected socket on which everything together must be over by the deadline.

    The time-out of a plain socket begins anew with each byte: a receiver that drips would hold it for ever.
    Reads `MOST_BYTES` at most; after them the answer seems to end.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline
        self._left = MOST_BYTES

    def __enter__(self) -> _Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        self._sock.close()

    def close(self) -> None:
        """http.client lets go before an answer without a length is read: `hang_up` ends it."""

    def in_time(self) -> socket.socket:
        """The socket, allowed to take what time is left. TimeoutError where none is."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock

    def secure(self, host: str) -> None:
        """TLS, with the name told and the certificate checked against it."""
        self._sock = tls_context().wrap_socket(self.in_time(), server_hostname=host)

    def sendall(self, data: bytes) -> None:
        """As http.client calls it."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.in_time().send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """As http.client calls it."""
        return io.BufferedReader(_Reading(self))

    def read_into(self, buffer: memoryview) -> int:
        if not self._left:
            return 0
        count = self.in_time().recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count


class _Reading(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.read_into(memoryview(buffer))


@cache
def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _connect(target: Target, addresses: list[str], deadline: float) -> _Wire:
    """To the first of the checked addresses that takes the connection."""
    refused: Exception = TimeoutError()
    for address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(left if address == addresses[-1] else min(left, CONNECT_SECONDS))
            sock.connect((address, target.port))
        except OSError as error:
            sock.close()
            refused = error
            continue
        wire = _Wire(sock, deadline)
        try:
            if target.scheme == "https":
                wire.secure(target.host)
        except BaseException:
            wire.hang_up()
            raise
        return wire
    raise refused


def _exchange(target: Target, wire: _Wire, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.auto_open = 0
    connection.sock = wire
    connection.request(
        "POST", target.path, body, {"Host": target.authority, "Connection": "close", **headers}
    )
    response = connection.getresponse()
    read = bytearray()
    try:
        while piece := response.read(4096):
            read += piece
    except http.client.IncompleteRead as cut:  # by our limit, or by the receiver: the status counts
        read += cut.partial
    text = read.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return Answer(response.status, text, response.headers.get("Retry-After"))


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
