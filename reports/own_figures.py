"""The figure cards of a buyer's own numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.metrics import METRICS
from portal.formats import number
from reports.figures import Figure, change_of, conversion, pair
from reports.own_numbers import Line
from reports.queries import Share
from reports.words import NBSP, NONE, interval, leads, money, span, span_interval, value_of


def own_figures(share: Share, total: Line, currency: str, ages: Sequence[int]) -> tuple[Figure, ...]:
    """The eight cards. ``total`` is `share` as a line; ``ages``: after how many days leads are mature."""
    return (
        conversion(share, ages),
        _contact(share),
        _time_to_contact(total),
        _returned(total),
        _spend(total, currency),
        _revenue(total, currency),
        _money("cost_per_acquisition", total, currency, f"{number(total.totals.converted)} sold"),
        _money("roi", total, currency, "revenue against spend"),
    )


def _contact(share: Share) -> Figure:
    now, before = pair("contact_rate", share.all, share.all_before)
    details = (interval("contact_rate", now), f"of {leads(now.count)} with feedback")
    change = change_of("contact_rate", now, before)
    return Figure(
        "contact_rate",
        "Contact rate",
        "leads with feedback",
        value_of("contact_rate", now),
        change,
        _said(details),
    )


def _time_to_contact(total: Line) -> Figure:
    taken = total.contact_time
    details = (span_interval(taken), f"{leads(taken.count)} with a date of contact")
    return Figure("contact_time", "Time to contact", "median", span(taken), None, _said(details))


def _returned(total: Line) -> Figure:
    rate = total.measure("return_rate")
    details = (interval("return_rate", rate), f"{number(total.totals.returned)} of {number(rate.count)}")
    return Figure("return_rate", "Returned", "all leads", value_of("return_rate", rate), None, _said(details))


def _spend(total: Line, currency: str) -> Figure:
    cost = total.measure("cost")
    if cost.value is None:
        return Figure("cost", "Spend", currency, NONE, None, ("the seller does not show every price",))
    each = money(cost.value / cost.count, currency) if cost.count else ""
    back = f"{money(total.credited, currency)} credited already taken off" if total.credited else ""
    details = (f"{each} per lead" if each else "", leads(cost.count), back)
    return Figure("cost", "Spend", currency, money(cost.value, currency, whole=True), None, _said(details))


def _revenue(total: Line, currency: str) -> Figure:
    each = total.measure("revenue_per_lead")
    details = (
        f"{money(each.value, currency)} per lead" if each.count else "",
        f"{number(total.totals.converted)} sold",
    )
    value = money(total.totals.revenue, currency, whole=True)
    return Figure("revenue", "Revenue reported", currency, value, None, _said(details))


def _money(name: str, total: Line, currency: str, counted: str) -> Figure:
    measured = total.measure(name)
    note = currency if METRICS[name].unit == "money" else "all leads"
    details = (interval(name, measured, currency).replace("–", f"{NBSP}–{NBSP}"), counted)
    return Figure(name, METRICS[name].label, note, value_of(name, measured, currency), None, _said(details))


def _said(details: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for text in details if text)
