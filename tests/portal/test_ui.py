"""The small parts of a page: what they say, and that they need no inline style."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.test import RequestFactory

from portal.templatetags import ui

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("left", "text", "tone"),
    [
        (dt.timedelta(hours=6, minutes=59), "6 h left", "bad"),
        (dt.timedelta(hours=23, minutes=59), "23 h left", "bad"),
        (dt.timedelta(days=1), "1 d left", "warn"),
        (dt.timedelta(days=2, hours=23), "2 d left", "warn"),
        (dt.timedelta(days=3), "3 d left", ""),
        (dt.timedelta(days=11), "11 d left", ""),
        (dt.timedelta(minutes=5), "5 min left", "bad"),
        (dt.timedelta(0), "now over", "bad"),
        (dt.timedelta(hours=-2), "2 h over", "bad"),
    ],
)
def test_a_deadline_is_the_time_left(left, text, tone):
    with time_machine.travel(NOW, tick=False):
        shown = ui.time_left(NOW + left)
    assert f">{text}</time>" in shown
    assert [each for each in ("bad", "warn") if f" {each}" in shown] == ([tone] if tone else [])
    assert (NOW + left).isoformat() in shown


def test_no_deadline_is_a_dash():
    assert "–" in ui.time_left(None)
    assert "–" in ui.ago(None)


@pytest.mark.parametrize(
    ("past", "text"),
    [(30, "now"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (86_400, "1 d"), (-90, "1 min")],
)
def test_ago_is_the_largest_unit_that_fits(past, text):
    with time_machine.travel(NOW, tick=False):
        assert f">{text}</time>" in ui.ago(NOW - dt.timedelta(seconds=past))


def test_stars_are_said_in_words_too():
    assert "★★★<i>★★</i>" in ui.stars(3)
    assert "3 of 5" in ui.stars(3)
    assert "★" not in ui.stars(None)


def test_a_pill_escapes_what_it_is_given():
    assert ui.pill("<b>", "good") == '<span class="pill pill--good">&lt;b&gt;</span>'


def test_an_interval_lies_on_its_scale():
    svg = ui.interval_bar(0.04, 0.08, 0.12, 0.16, threshold=0.05)
    assert '<rect class="range" x="50.0" y="5" width="100.0"' in svg
    assert '<rect class="value" x="99.0"' in svg
    assert 'x1="62.5"' in svg
    assert "style" not in svg
    assert 'aria-hidden="true"' in svg


@pytest.mark.parametrize(("low", "value", "high", "upper"), [(-1, 0, 3, 1), (0, 0, 0, 0), (2, 2, 2, 1)])
def test_an_interval_beyond_its_scale_is_cut(low, value, high, upper):
    svg = ui.interval_bar(low, value, high, upper, label="0 % to 300 %")
    assert 'aria-label="0 % to 300 %"' in svg
    assert "nan" not in svg
    assert 'x="-' not in svg


def test_an_address_keeps_what_is_not_changed():
    request = RequestFactory().get("/x/?a=1&b=2&b=3&page=4")
    assert ui.url_with(request, page=None, a="5") == "/x/?b=2&b=3&a=5"
    assert ui.url_with(RequestFactory().get("/x/?page=4"), page=None) == "/x/"
