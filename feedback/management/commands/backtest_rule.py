"""``manage.py backtest_rule``: what a rule would have done in the last days."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from feedback.backtest import Backtest, backtest, words
from flows.actions.base import BadRule
from flows.models import Rule

MOST_DAYS = 3650


class Command(BaseCommand):
    help = "Try a rule on history: what it would have done, day by day. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rule", type=int, help="the rule's number, as in the address of its page")
        parser.add_argument("--days", type=int, default=90, help="how far back, today included (90)")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        rule = Rule.objects.select_related("flow").filter(pk=options["rule"]).first()
        if rule is None:
            known = ", ".join(f"{pk} ({name})" for pk, name in Rule.objects.values_list("pk", "name")[:20])
            raise CommandError(f"There is no rule {options['rule']}. There are: {known or 'none'}.")
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days must be from 1 to {MOST_DAYS}.")
        try:
            result = backtest(rule, days=options["days"])
        except BadRule as bad:
            raise CommandError(f"This rule cannot be carried out: {bad}") from None
        self.stdout.write(as_json(result) if options["json"] else "\n".join(lines(result)))


def lines(result: Backtest) -> list[str]:
    """For a person at a terminal."""
    flow = result.rule.flow
    told = [f"{result.rule.name} ({flow}), {words.period(result)}", "", f"{words.headline(result)}."]
    if near := words.nearest(result):
        told.append(near)
    if result.firings:
        told += [
            f"  {label}: {value}{detail and f' ({detail})'}" for label, value, detail in words.figures(result)
        ]
    told.append("")
    for firing in result.firings:
        meaning = words.meaning(firing, flow)
        told.append(f"{firing.day}  {firing.headline}")
        told.append(f"            {firing.why}")
        told += [f"            {meaning}"] if meaning else []
    return [*told, *[""][: len(result.firings)], *(f"- {each}" for each in words.cautions(result))]


def as_json(result: Backtest) -> str:
    """Everything, for programs."""
    document = {
        "rule": {"id": result.rule.pk, "name": result.rule.name, "flow": result.rule.flow.public_id},
        "from": result.first,
        "to": result.last,
        "currency": result.rule.flow.currency,
        "delivered": result.delivered,
        "cost": result.cost,
        "decided_really": result.real,
        "would_have_meant": asdict(result.effect),
        "nearest": result.nearest and asdict(result.nearest),
        "nothing_to_change": dict(result.idle),
        "firings": [asdict(firing) for firing in result.firings],
    }
    return json.dumps(document, indent=2, cls=DjangoJSONEncoder, ensure_ascii=False)
