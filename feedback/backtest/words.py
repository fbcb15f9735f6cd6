"""A replay's outcome in words and figures. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from feedback.backtest.result import Backtest, Effect, Firing
from flows import reasons
from flows.models import Flow, Rule
from flows.money import rounded
from flows.rules import METRICS

_KEEPING_OUT = frozenset({"pause_source", "suppress_contact", "suppress_source"})
MINUS = "−"


class Figure(NamedTuple):
    """One of the sums on top."""

    label: str
    value: str
    detail: str = ""


def headline(result: Backtest) -> str:
    """Whether it would have fired, and how often: "It would have fired 3 times"."""
    fired = sum(not firing.reverses for firing in result.firings)
    back = len(result.firings) - fired
    if not fired:
        return "It would not have fired"
    taken = f", and taken back what it did {_times(back)}" if back else ""
    return f"It would have {'suggested' if _suggests(result.rule) else 'fired'} {_times(fired)}{taken}"


def figures(result: Backtest) -> list[Figure]:
    """The sums that the rule's action has."""
    rule, effect = result.rule, result.effect
    found = [Figure("Fired", f"{sum(not each.reverses for each in result.firings):,}", _sources(result))]
    if _keeps_out(rule):
        found += [
            Figure(
                "Leads not bought", f"{effect.leads:,}", f"{_share(effect.leads, result.delivered)} leads"
            ),
            Figure("Cost saved", money(effect.cost, rule.flow), f"of {money(result.cost, rule.flow)}"),
            Figure("Conversions lost", f"{effect.converted:,}", _lost(effect, rule.flow)),
        ]
    if rule.action == "set_price_adjustment":
        found += [
            Figure(
                "Leads at another price", f"{effect.repriced:,}", _share(effect.repriced, result.delivered)
            ),
            Figure("Cost would have changed by", signed(effect.price_change, rule.flow)),
        ]
    if rule.action == "bonus":
        found.append(Figure("Bonuses", money(effect.bonus, rule.flow)))
    return found


def meaning(firing: Firing, flow: Flow) -> str:
    """What one firing would have meant, in words; "" where that is nothing that can be summed."""
    effect = firing.effect
    if effect.bonus:
        return f"{money(effect.bonus, flow)} bonus"
    if effect.repriced:
        leads = _counted(effect.repriced, "later lead")
        return f"{leads}, {signed(effect.price_change, flow)} in all"
    if not effect.leads:
        return ""
    bought = f"{_counted(effect.leads, 'lead')} not bought, {money(effect.cost, flow)} saved"
    lost = (
        f"; {_counted(effect.converted, 'conversion')} lost, {_lost(effect, flow)}"
        if effect.converted
        else ""
    )
    return bought + (lost or f"; no conversion lost{_still_open(effect)}")


def nearest(result: Backtest) -> str:
    """How near the rule came where it did not fire, or why there was nothing to do."""
    if result.firings:
        return ""
    if result.idle:
        where = ", ".join(f"{name} ({_times(days)})" for name, days in result.idle.most_common(5))
        return f"Its condition held, but there was nothing that the action could change: {where}."
    if result.rule.trigger == Rule.Trigger.FEEDBACK:
        return f"No lead came back as {result.rule.outcome.replace('_', ' ')} in these days."
    if result.nearest is None:
        return "There was nothing to count in these days: no deliveries, or no feedback on them."
    near = result.nearest
    when = f"{near.source} on {near.day.day} {near.day:%b %Y}"
    if not near.enough:
        return f"There was never enough to count. Most was on {when}: {reasons.no_longer(near.numbers)}."
    told = f"It came nearest on {when}: {reasons.counted(near.numbers)}"
    if not _beyond(near.numbers):
        threshold = reasons.shown(near.numbers["threshold"], METRICS[near.numbers["metric"]].unit, 2)
        return f"{told}, which is not {near.numbers['comparison']} {threshold}."
    if "e_value" not in near.numbers:
        return f"{told}. That is beyond the threshold, but may be the doing of one buyer, or chance."
    sure = f"e-value {near.numbers['e_value']:.3g}, needed {near.numbers['needed']}"
    return f"{told}. That is beyond the threshold, but may be chance ({sure})."


def cautions(result: Backtest) -> Iterator[str]:
    """What a reader must know to judge the sums: how they came about, and what nobody can know."""
    rule, effect = result.rule, result.effect
    if rule.trigger == Rule.Trigger.QUALITY:
        yield (
            f"Each day is judged at its end ({rule.flow.timezone}), on the feedback that had been received "
            "by then. A rule that is on looks after every feedback: it may fire some hours earlier, and also "
            "on a number that went beyond the threshold only for a while."
        )
    else:
        yield "Each lead is looked at when its feedback was received."
    if _suggests(rule):
        yield "The rule only suggests. This is as if every suggestion had been approved at once."
    if _keeps_out(rule):
        yield from _of_kept_out(rule, effect)
    if rule.action == "set_price_adjustment":
        yield "Sources might have sent more or fewer leads at another price; that nobody knows."
    if rule.action in ("step_cap", "resume_source") and not _keeps_out(rule):
        yield "What more leads would have come, and what they would have brought, nobody knows."
    if result.real:
        yield (
            f"The rule really decided {_times(result.real)} in these days. What was refused then is "
            "not in the history, so the sums tell only what it would have kept out beyond that."
        )
    yield (
        "Each source begins with the status, cap and price that are on record for the first day; without a "
        "record as active, with the cap and the price that rules found. Only this rule acts; other rules and "
        "people might have been faster."
    )


def _of_kept_out(rule: Rule, effect: Effect) -> Iterator[str]:
    yield (
        "Conversions lost are those known today. Leads that would not have been bought count no more in the "
        f"rule’s own later numbers{_then_open(effect)}."
    )
    if rule.action != "suppress_contact" and rule.on_clear == Rule.OnClear.NOTHING:
        yield "The rule takes nothing back by itself, so what it did is taken to last until today."
    yield "What buyers would have bought in place of these leads, nobody knows."


def _then_open(effect: Effect) -> str:
    return f". Of {effect.pending:,} it is not known yet whether they convert" if effect.pending else ""


def money(amount: Decimal, flow: Flow) -> str:
    """ "1,250.00 USD"."""
    return f"{rounded(amount, flow.decimals):,}\N{NO-BREAK SPACE}{flow.currency}"


def signed(amount: Decimal, flow: Flow) -> str:
    """ "+12.00 USD", "−3.00 USD"."""
    sign = "+" if rounded(amount, flow.decimals) > 0 else MINUS if rounded(amount, flow.decimals) < 0 else ""
    return f"{sign}{money(abs(amount), flow)}"


def period(result: Backtest) -> str:
    """ "27 Aug to 24 Nov 2026"."""
    return f"{_date(result.first, result.last)} to {_date(result.last)}"


def _date(day: dt.date, beside: dt.date | None = None) -> str:
    year = "" if beside and beside.year == day.year else f" {day.year}"
    return f"{day.day} {day:%b}{year}"


def _keeps_out(rule: Rule) -> bool:
    """Whether the action can keep leads out: a cap only where it goes down."""
    down = rule.action == "step_cap" and Decimal(str(rule.params["percentage"])) < 0
    return down or rule.action in _KEEPING_OUT


def _suggests(rule: Rule) -> bool:
    return rule.mode == Rule.Mode.SUGGEST


def _sources(result: Backtest) -> str:
    count = len({firing.source_id for firing in result.firings})
    return f"on {_counted(count, 'source')}" if count else ""


def _share(count: int, whole: int) -> str:
    return f"{count / whole * 100:.1f} % of {whole:,}" if whole else f"of {whole:,}"


def _lost(effect: Effect, flow: Flow) -> str:
    return f"{money(effect.revenue, flow)} of revenue{_still_open(effect)}"


def _still_open(effect: Effect) -> str:
    return f", {effect.pending:,} still open" if effect.pending else ""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _beyond(numbers: dict[str, float | str]) -> bool:
    value, threshold = float(numbers["value"]), float(numbers["threshold"])
    return value < threshold if numbers["comparison"] == "below" else value > threshold
