"""The form of a log line: no API key ever stands in one, whatever it was that logged it."""

from __future__ import annotations

import logging
import re

# Prefix, which is no secret, and the rest of a key (flows/keys.py).
KEY = re.compile(r"\b(ll_(?:live|test)_[0-9A-Za-z]{8})_[0-9A-Za-z]+")


class KeyHidingFormatter(logging.Formatter):
    """Leaves of a key only what tells it from others: in the message and in a traceback below it.

    One door takes keys in the address (``/feedback?key=…``), and an address may get into any message.
    """

    def format(self, record: logging.LogRecord) -> str:
        return KEY.sub(r"\1_•••", super().format(record))
