"""A bonus for quality: to a source, or for one lead that came back as the rule asks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.utils import timezone

from flows.actions.base import Action, BadRule, Change, Changed, Params, Target, decimal_of
from flows.models import Alert, Bonus, Decision, Rule
from flows.money import money_text

MOST_BONUS = "1000000"


class GrantBonus(Action):
    """Grants ``amount``, in the flow's currency: once a decision on a source, or once for each lead.

    With “a source's quality” it is the source's, subject to the cool-down; with “each feedback” it is for
    the one lead. It is noted, not paid: the decisions page lists what stands. Undoing voids it;
    it is never deleted.
    """

    name, label = "bonus", "Grant a bonus"

    def clean(self, params: Params) -> Params:
        return {"amount": decimal_of(params, "amount", "0.001", MOST_BONUS)}

    def check(self, rule: Rule) -> None:
        """An amount has the decimals of the flow's currency."""
        super().check(rule)
        if not rule.flow_id:
            return
        amount, decimals = self.clean(rule.params)["amount"], rule.flow.decimals
        if amount != round(amount, decimals):
            allowed = f"{decimals} decimals at most" if decimals else "no decimals"
            raise BadRule(f"“amount” in {rule.flow.currency} has {allowed}.", "amount")

    def is_about_source(self, target: Target) -> bool:
        return target.delivery is None

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        bonus = {
            "bonus": money_text(params["amount"], rule.flow.decimals),
            "currency": rule.flow.currency,
        }
        return [Change({}, bonus) for _ in targets]

    def perform(self, decisions: Sequence[Decision]) -> None:
        Bonus.objects.bulk_create(
            Bonus(
                flow=decision.flow,
                source=decision.source,
                delivery=decision.delivery,
                decision=decision,
                amount=Decimal(decision.after["bonus"]),
                granted_at=decision.answered_at or decision.decided_at,
            )
            for decision in decisions
        )

    def undo(self, decision: Decision, *, force: bool) -> None:
        bonus = Bonus.objects.get(decision=decision)
        if not force and (bonus.voided_at or bonus.amount != Decimal(decision.after["bonus"])):
            currency = decision.after["currency"]
            amount = money_text(bonus.amount, decision.flow.decimals)
            raise Changed({"bonus": "0" if bonus.voided_at else amount, "currency": currency})
        bonus.voided_at = bonus.voided_at or decision.undone_at or timezone.now()
        bonus.save(update_fields=["voided_at"])

    def headline(self, decision: Decision) -> str:
        what = f"bonus of {decision.after['bonus']} {decision.after['currency']}"
        return f"{decision.source}: {what}" + (f" for {decision.delivery}" if decision.delivery else "")

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.GOOD
