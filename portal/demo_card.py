"""``var/demo.json``: who may log in to the demo world, and with which keys."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings


def path() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"


def write(card: dict[str, Any]) -> None:
    """Put the card in its place at once (mode 600: it holds passwords and keys)."""
    fresh = path().with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(card, file, indent=2)
    fresh.replace(path())


def text(url: str) -> str:
    """What to show at a start: log-ins, a key, a curl line that works; "" where there is no demo world.

    Also notes ``url`` in the card, as it may have changed since the last start.
    """
    if not path().exists():
        return ""
    card = json.loads(path().read_text())
    if card["base_url"] != url:
        write({**card, "base_url": url})
    return "\n".join([*_people(card), "", *_curl(card["buyers"][0], url), ""])


def _people(card: dict[str, Any]) -> list[str]:
    rows = [("Operator", card["admin"])]
    rows += [(f"Seller {seller['name']}", seller) for seller in card["sellers"]]
    rows += [(f"Buyer {buyer['name']}", buyer) for buyer in card["buyers"]]
    width = max(len(who) for who, _ in rows)
    lines = [f"  {who:<{width}}  {account['username']}" for who, account in rows]
    return [f"Log in with the password {card['admin']['password']} as", *lines]


def _curl(buyer: dict[str, Any], url: str) -> list[str]:
    body = json.dumps({"lead_id": buyer["leads"][0], "outcome": "converted", "revenue": 1500})
    return [
        f"Send feedback as {buyer['name']} does:",
        "",
        f"  curl -i {url}/flows/{buyer['flows'][0]}/feedback \\",
        f'    -H "X-API-Key: {buyer["key"]}" \\',
        '    -H "Content-Type: application/json" \\',
        f"    -d '{body}'",
    ]
