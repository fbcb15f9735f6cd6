"""Which addresses a flow has and what serves them: read from the URLconf, so that none is forgotten."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from flows.http import Endpoint

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
OF_A_FLOW = "/flows/{flow_id}/"


@functools.cache
def addresses() -> dict[str, Endpoint]:
    """Path as OpenAPI writes it (``/flows/{flow_id}/feedback``) → its endpoint."""
    return dict(_endpoints("/", get_resolver().url_patterns))


def parameters_of(path: str) -> list[str]:
    """The names of the path's parameters."""
    return re.findall(r"{(\w+)}", path)


def _endpoints(prefix: str, patterns: Iterable[URLPattern | URLResolver]) -> Iterator[tuple[str, Endpoint]]:
    for pattern in patterns:
        path = prefix + PARAMETER.sub(r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _endpoints(path, pattern.url_patterns)
        elif isinstance(pattern.callback, Endpoint) and path.startswith(OF_A_FLOW):
            yield path, pattern.callback
