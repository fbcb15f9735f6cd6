"""Whether a client takes the form in which we answer (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re

from django.http import HttpRequest

NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0*)?")


def accepts(request: HttpRequest, kind: str) -> bool:
    """Whether the header Accept takes the media type ``kind``; the closest of its ranges decides.

    Every kind has one form here, so parameters other than q are no reason to refuse: many clients send
    ``application/json; charset=utf-8``. An empty header says nothing.
    """
    given = request.headers.get("Accept", "").lower()
    if not given.strip():
        return True
    ranges = {}
    for each in given.split(","):
        range_, *parameters = (part.strip() for part in each.split(";"))
        ranges[range_] = not any(map(NO_WEIGHT.fullmatch, parameters))
    from_close_to_wide = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((ranges[range_] for range_ in from_close_to_wide if range_ in ranges), False)
