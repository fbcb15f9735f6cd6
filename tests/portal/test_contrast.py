"""The tokens of the stylesheet: every pair of text and ground can be read, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(settings.BASE_DIR) / "static"
CSS = (STATIC / "app.css").read_text()
GROUNDS = ("ground", "surface", "raised")
TONES = ("good", "warn", "bad", "info", "accent")
TEXTS = [(text, ground) for text in ("text", "muted") for ground in GROUNDS]
TEXTS += [(tone, ground) for tone in TONES for ground in ("ground", "surface", f"{tone}-pale")]
TEXTS += [("text", f"{tone}-pale") for tone in TONES]
TEXTS += [("muted", "neutral-pale"), ("muted", "accent-pale"), ("on-accent", "accent")]
CONTROLS = [("control", "surface"), ("control", "ground"), ("accent", "ground"), ("accent", "surface")]


def token(name: str, dark: bool) -> str:
    """The token's colour as six hex digits."""
    given = re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\);", CSS)
    assert given, name
    digits = given[2 if dark else 1][1:]
    return digits if len(digits) == 6 else "".join(2 * digit for digit in digits)


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_wcags():
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_can_be_read(text, ground, dark):
    assert contrast(token(text, dark), token(ground, dark)) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), CONTROLS)
def test_a_control_can_be_seen(edge, ground, dark):
    assert contrast(token(edge, dark), token(ground, dark)) >= 3


def test_the_stylesheet_stays_small():
    assert len(CSS.encode()) < 30 * 1024


def test_every_token_that_is_used_is_defined():
    defined = set(re.findall(r"(--[\w-]+):", CSS))
    skin = (STATIC / "admin-skin.css").read_text()
    used = set(re.findall(r"var\((--[\w-]+)", CSS + skin))
    assert used <= defined | set(re.findall(r"(--[\w-]+):", skin))
