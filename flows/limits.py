"""How many requests a key may make. Without the storage nothing is limited: feedback is worth more.

With ``memory://`` (no Redis) every process counts for itself. The headers are those of
draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import functools
import logging
import math
import time

import redis  # noqa: F401  # `limits` looks for it in sys.modules, where a thread may see it half imported
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from flows.problems import Problem, ProblemError

REST = 5.0  # seconds for which a storage that was away is not asked again
log = logging.getLogger(__name__)


class Limiter:
    """One limit over one storage."""

    def __init__(self, limit: str, storage: str) -> None:
        self.item: RateLimitItem = parse(limit)
        self.window = FixedWindowRateLimiter(_open(storage))
        self.rests_until = 0.0

    def hit(self, who: str, named: str = "This key") -> dict[str, str]:
        """Count one request of ``who``; → the headers to answer with. ProblemError 429 over the limit.

        ``named``: what the refusal calls them.
        """
        if time.monotonic() < self.rests_until:
            return {}
        try:
            good = self.window.hit(self.item, who)
            stats = self.window.get_window_stats(self.item, who)
        except StorageError as error:
            self.rests_until = time.monotonic() + REST
            log.warning("The rate limit's storage is away; for %.0f s nothing is limited: %s", REST, error)
            return {}
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        headers = self.headers(stats.remaining, wait)
        if not good:
            raise _rate_limited(named, wait, headers)
        return headers

    def headers(self, remaining: int, reset: int) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"default";q={self.item.amount};w={self.item.get_expiry()}',
            "RateLimit": f'"default";r={remaining};t={reset}',
        }


def limiter() -> Limiter:
    """The one of the settings."""
    return _limiter(settings.API_RATE_LIMIT, settings.API_RATE_LIMIT_STORAGE)


_limiter = functools.cache(Limiter)


def address_of(request: HttpRequest) -> str:
    """Whence a request comes, as for log-ins: behind a proxy, by what the proxy adds to X-Forwarded-For."""
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:  # not to be known, so all of these share a limit
        return ""


def _open(storage: str) -> Storage:
    """Time-outs are short: a request must not wait for a limit."""
    options = {} if storage == "memory://" else {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    opened = storage_from_string(storage, wrap_exceptions=True, **options)
    assert isinstance(opened, Storage)  # noqa: S101  # the asynchronous ones have another scheme
    return opened


def _rate_limited(named: str, wait: int, headers: dict[str, str]) -> ProblemError:
    return ProblemError(
        Problem(
            429,
            "rate_limited",
            "Too many requests",
            f"{named} has used up its requests. Try again in {wait} s.",
            headers={"Retry-After": str(wait), **headers},
        )
    )
