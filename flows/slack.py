"""Events in a sentence, for a channel where people read them (Slack, Mattermost, Discord's /slack). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Data = Mapping[str, Any]


def text_of(type_: str, data: Data) -> str:
    """The event as Slack's mrkdwn. What others wrote cannot mention or link: & < > are escaped."""
    sentence: str = SENTENCES[type_](Escaped(data))
    return sentence


class Escaped(dict[str, Any]):
    """Data of which every text is safe in mrkdwn; what is not there reads as a dash."""

    def __getitem__(self, name: str) -> Any:
        value = self.get(name)
        if isinstance(value, Mapping):
            return Escaped(value)
        if value is None or value == "":
            return "–"
        return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _feedback(data: Escaped) -> str:
    lead = data["lead"]
    amount = f", {lead['revenue']} {lead['currency']}" if data.get("lead", {}).get("revenue") else ""
    what = "Feedback taken back" if data.get("retracts") else "Feedback"
    return f"{what} on {data['lead_id']} ({data['source']}): now {lead['outcome']}{amount}"


def _status(verb: str) -> Any:
    def sentence(data: Escaped) -> str:
        whom = f" for {data['buyer_id']}" if data.get("buyer_id") else ""
        return f"*{data['name']}* {verb}{whom}: {data['reason']}"

    return sentence


def _cap(data: Escaped) -> str:
    return f"*{data['name']}*: daily cap {data['before']['daily_cap']} → {data['after']['daily_cap']}"


def _price(data: Escaped) -> str:
    return f"*{data['name']}*: price {data['before']['price']} → {data['after']['price']} {data['currency']}"


def _alert(data: Escaped) -> str:
    body = f"\n{data['body']}" if data.get("body") else ""
    return f"*{data['title']}*{body}"


def _upload(data: Escaped) -> str:
    counts = f"{data['recorded']} recorded, {data['unchanged']} unchanged, {data['rejected']} refused"
    end = f"failed: {data['error']}" if data.get("status") == "failed" else "read"
    return f"File “{data['filename']}” {end} ({counts})"


def _return_requested(data: Escaped) -> str:
    return f"{data['buyer_id']} asks to return {data['lead_id']} ({data['source']}): {data['reason']}"


def _return_decided(data: Escaped) -> str:
    amount = f", {data['credited']} {data['currency']}" if data.get("credited") else ""
    return f"Return of {data['lead_id']} ({data['source']}): {data['status']}{amount}"


SENTENCES = {
    "feedback.recorded": _feedback,
    "source.paused": _status("is paused"),
    "source.resumed": _status("is resumed"),
    "source.cap_changed": _cap,
    "source.price_changed": _price,
    "contact.suppressed": lambda data: f"Contact of {data['lead_id']} put on “{data['list_name']}”",
    "alert.raised": _alert,
    "upload.finished": _upload,
    "return.requested": _return_requested,
    "return.decided": _return_decided,
    "test.ping": lambda data: "This is a test from Leadloop: it works.",
}
