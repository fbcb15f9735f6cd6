"""Where outgoing HTTP may go although it lies inward: read from LEADLOOP_EGRESS_ALLOW, empty by default."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from django.core.exceptions import ImproperlyConfigured

HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Allowed:
    """``places``: host, as an address writes it, and port; ``networks``: addresses, at every port."""

    places: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def place(self, host: str, port: int) -> bool:
        """Whether this host may be called at this port, wherever its name leads. IPv6 without brackets."""
        return (host, port) in self.places

    def address(self, ip: IPv4Address | IPv6Address) -> bool:
        return any(ip in network for network in self.networks)


def parse(items: Iterable[str]) -> Allowed:
    """Each item is ``host:port`` (``crm.internal:8080``, ``[::1]:9000``) or a network (``10.1.0.0/16``)."""
    places: set[tuple[str, int]] = set()
    networks: list[IPv4Network | IPv6Network] = []
    for item in (item.strip().lower() for item in items):
        if not item:
            continue
        if "/" in item:
            networks.append(_network(item))
        else:
            places.add(_place(item))
    return Allowed(frozenset(places), tuple(networks))


def _network(item: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(item)
    except ValueError as error:
        raise _bad(item, str(error)) from None


def _place(item: str) -> tuple[str, int]:
    found = HOST_AND_PORT.fullmatch(item)
    if not found or not 0 < int(found[2]) < 65536:
        raise _bad(item, "write host:port or a network such as 10.1.0.0/16")
    return found[1].strip("[]"), int(found[2])


def _bad(item: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"LEADLOOP_EGRESS_ALLOW: “{item}”: {why}.")
