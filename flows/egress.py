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
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

TOTAL_SECONDS = 15.0  # look-up, connection, TLS, request and answer together
CONNECT_SECONDS = 5.0  # for one of several addresses
MOST_BYTES = 64 * 1024  # of the answer, its head included
WELL_KNOWN = (80, 443)  # below 1024 everything else is another service: mail, shells, directories
LONGEST_URL = 500
LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
Address = IPv4Address | IPv6Address

# https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry
INWARD = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments: Teredo, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
# Of IPv6 only this is public: mapped and translated IPv4, NAT64, local and multicast lie outside.
PUBLIC_V6 = ip_network("2000::/3")


class EgressError(Exception):
    """Nothing came of it; the message says why, for the log that the seller reads."""


class BlockedError(EgressError):
    """This address may not be called."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``text``: the beginning of the body, as it could be read."""

    status: int
    text: str
    retry_after: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart. ``host``: in lower case, IPv6 without brackets; ``path`` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """For the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


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


def target_of(url: str) -> Target:
    """The address taken apart, or BlockedError where it can be seen from it that it may not be called: no
    look-up is made."""
    parts = _split(url)
    host = (parts.hostname or "").lower()
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        raise BlockedError("The port must be a number from 1 to 65535.") from None
    target = Target(parts.scheme, host, port, _path(parts))
    if settings.EGRESS_ALLOW.place(host, port):
        return target
    literal = _literal(host)
    if literal is not None:
        _require_public(literal, host)
    if host == "localhost" or host.endswith(".localhost"):
        raise BlockedError(f"{host} is this machine itself. Give an address that is public.")
    if port not in WELL_KNOWN and port < 1024:
        raise BlockedError(f"Port {port} is not for the web. Use 80, 443, or one of 1024 and above.")
    return target


def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of a name. OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _split(url: str) -> SplitResult:
    """BlockedError where a part of it is odd. Python and a browser must read the same out of it."""
    if len(url) > LONGEST_URL or not re.fullmatch(r"[!-\[\]-~]+", url):  # printable ASCII without a backslash
        raise BlockedError(
            f"Write the address in at most {LONGEST_URL} plain characters, "
            "without spaces; other letters percent-encoded, in a name as xn--…"
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BlockedError("This is not an address: check its brackets.") from None
    if parts.scheme not in ("http", "https"):
        raise BlockedError("The address must begin with https:// (or http://).")
    if "@" in parts.netloc:
        raise BlockedError("Leave user name and password out of the address: what comes is signed.")
    return parts


def _path(parts: SplitResult) -> str:
    """What is asked for: without the fragment, which is a browser's own business."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _literal(host: str) -> Address | None:
    """The IP address that the host is, None for a name. BlockedError for what is neither.

    A name whose last part is a number would be read as an IPv4 address by many programs: 2130706433,
    0x7f.1 and 127.1 all mean 127.0.0.1.
    """
    with suppress(ValueError):
        if "%" not in host:
            return ip_address(host)
    if len(host) > 253 or not NAME.fullmatch(host) or NUMBER.fullmatch(host.rpartition(".")[2]):
        raise BlockedError(f"“{host[:80]}” is neither a host name nor an IP address written in full.")
    return None


def is_public(ip: Address) -> bool:
    """Whether an address lies outside, as far as its number tells."""
    if isinstance(ip, IPv6Address) and ip not in PUBLIC_V6:
        return False
    return ip.is_global and not any(ip in network for network in INWARD)


def _require_public(ip: Address, host: str) -> None:
    """What a name leads to is not told: that would map the network inside."""
    if not is_public(ip) and not settings.EGRESS_ALLOW.address(ip):
        raise BlockedError(f"{host} is not a public address, so nothing is sent there.")


def _checked(target: Target, deadline: float) -> list[str]:
    """The addresses of the target, looked up once; BlockedError where any of them lies inward."""
    addresses = _look_up(target, deadline)
    if not settings.EGRESS_ALLOW.place(target.host, target.port):
        for address in addresses:
            try:
                ip = ip_address(address)  # an address with a zone (fe80::1%eth0) is one of the inward ones
            except ValueError:
                raise BlockedError(f"{target.host} leads to an odd address.") from None
            _require_public(ip, target.host)
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
