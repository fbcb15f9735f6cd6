"""Where outgoing HTTP may go: addresses taken apart, and what lies inward refused. Asks nobody.

Sellers type the addresses. What is read out of one here is what is called, so nothing is taken that some
other program would read otherwise.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

WELL_KNOWN = (80, 443)  # below 1024 everything else is another service: mail, shells, directories
LONGEST_URL = 500
LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Host and port. In brackets stands IPv6: no name, no IPv4 and no address of a version yet to come (“v1.…”).
NETLOC = re.compile(r"(\[(?!v)(?=[^\[\]]*:)[^\[\]]+\]|[^\[\]:]*)(:[^:]*)?", re.IGNORECASE)
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
        # Public by their numbers, but answered within a cloud, to its machines.
        "168.63.129.16/32",  # Azure: the host of the virtual machine
        "161.26.0.0/16",  # IBM Cloud: its services
        "166.8.0.0/14",  # IBM Cloud: its services
    )
)
# Of IPv6 only this is public: mapped and translated IPv4, NAT64, local and multicast lie outside.
PUBLIC_V6 = ip_network("2000::/3")


class EgressError(Exception):
    """Nothing came of it; the message says why, for the log that the seller reads."""


class BlockedError(EgressError):
    """This address may not be called."""


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


def target_of(url: str) -> Target:
    """The address taken apart, or BlockedError where it can be seen from it that it may not be called: no
    look-up is made."""
    parts = _split(url)
    host, port = (parts.hostname or "").lower(), _port(parts)
    target = Target(parts.scheme, host, port, _path(parts))
    if settings.EGRESS_ALLOW.place(host, port):
        return target
    literal = _literal(host)
    if literal is not None:
        require_public(literal, host)
    if host == "localhost" or host.endswith(".localhost"):
        raise BlockedError(f"{host} is this machine itself. Give an address that is public.")
    if port not in WELL_KNOWN and port < 1024:
        raise BlockedError(f"Port {port} is not for the web. Use 80, 443, or one of 1024 and above.")
    return target


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
    if not NETLOC.fullmatch(parts.netloc):
        raise BlockedError("This is not an address: check its brackets. Only an IPv6 address stands in them.")
    return parts


def _port(parts: SplitResult) -> int:
    """The one that is named, or the scheme's own. BlockedError where it cannot be a port."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise BlockedError("The port must be a number from 1 to 65535.")
    return port or {"http": 80, "https": 443}[parts.scheme]


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


def require_public(ip: Address, host: str) -> None:
    """What a name leads to is not told: that would map the network inside."""
    if not is_public(ip) and not settings.EGRESS_ALLOW.address(ip):
        raise BlockedError(f"{host} is not a public address, so nothing is sent there.")
