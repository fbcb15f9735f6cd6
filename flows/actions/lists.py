"""Actions that put what a rule fired on onto a suppression list."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from flows.actions.base import Action, BadRule, CannotUndo, Change, Changed, Params, Target
from flows.contact_events import announce
from flows.models import Alert, Decision, Rule, SuppressionEntry, SuppressionList
from flows.suppression import in_force, source_value

Kind = SuppressionEntry.Kind
Entry = tuple[str, str]  # kind, normalised value


class ListAction(Action):
    """Adds entries to the list named by the parameter ``list`` (its URL name).

    The decision says which kinds were added, not the values: personal data stands on the list alone, and
    goes when it goes from there.
    """

    @abstractmethod
    def entries_of(self, target: Target | Decision) -> list[Entry]:
        """What is to stand on the list for this target."""

    def clean(self, params: Params) -> Params:
        slug = params.get("list")
        if not isinstance(slug, str) or not slug:
            raise BadRule("“list” must be the URL name of a suppression list.", "list")
        days = params.get("expires_days")
        if days is not None and (
            isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3650
        ):
            raise BadRule("“expires_days” must be a whole number from 1 to 3650.", "expires_days")
        return {"list": slug} | ({"expires_days": days} if days else {})

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        wanted = [self.entries_of(target) for target in targets]
        listed = _list(rule.flow.seller_id, params["list"])
        named = {"list": params["list"], "list_name": listed.name}
        if days := params.get("expires_days"):
            named["expires_days"] = days
        standing = _standing(listed, wanted)
        changes: list[Change | None] = []
        for entries in wanted:
            added = sorted(kind for kind, value in set(entries) - standing)
            standing.update(entries)
            changes.append(Change({}, {**named, "added": added}) if added else None)
        return changes

    def perform(self, decisions: Sequence[Decision]) -> None:
        target = _list(decisions[0].flow.seller_id, decisions[0].after["list"])
        entries = [
            SuppressionEntry(
                list=target,
                kind=kind,
                value=value,
                reason=decision.rule_name,
                decision=decision,
                origin=SuppressionEntry.Origin.RULE,
                added_at=_moment(decision),
                expires_at=_until(decision),
            )
            for decision in decisions
            for kind, value in self.entries_of(decision)
            if kind in decision.after["added"]
        ]
        # Another worker may put the same value there at this moment: it stands once, and as both go by
        # the same order, neither waits for the other in a circle.
        entries.sort(key=lambda entry: (entry.kind, entry.value))
        # What has expired may still stand there: it begins anew.
        SuppressionEntry.objects.bulk_create(
            entries,
            update_conflicts=True,
            unique_fields=["list", "kind", "value"],
            update_fields=["expires_at", "decision", "reason", "origin", "added_at"],
        )

    def undo(self, decision: Decision, *, force: bool) -> None:
        entries = decision.suppression_entries.all()
        standing = sorted(entries.values_list("kind", flat=True))
        if not force and standing != decision.after["added"]:
            raise Changed({**decision.after, "added": standing})
        entries.delete()


class SuppressContact(ListAction):
    """The lead's e-mail and phone: not to be bought again."""

    name, label = "suppress_contact", "Put the contact on a list"
    per_source = False
    needs_delivery = True

    def perform(self, decisions: Sequence[Decision]) -> None:
        super().perform(decisions)
        announce(decisions)

    def entries_of(self, target: Target | Decision) -> list[Entry]:
        if target.delivery is None:
            return []
        lead = target.delivery.lead
        both = [(Kind.EMAIL.value, lead.email_normalised), (Kind.PHONE.value, lead.phone_e164)]
        return [(kind, value) for kind, value in both if value]

    def headline(self, decision: Decision) -> str:
        return f"Contact of {decision.delivery} put on “{name_of(decision)}”"


class SuppressSource(ListAction):
    """The source itself: its leads are refused as ``suppressed``."""

    name, label = "suppress_source", "Put the source on a list"
    reverse_name = "unsuppress_source"

    def entries_of(self, target: Target | Decision) -> list[Entry]:
        return [source_value(target.source.flow, target.source)]

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} put on “{name_of(decision)}”"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.BAD

    def plan_reverse(self, decisions: Sequence[Decision], reasons: Sequence[str]) -> list[Change | Changed]:
        still = SuppressionEntry.objects.filter(decision__in=decisions)
        on_list = set(still.values_list("decision", flat=True))
        return [
            Change(decision.after, {**decision.after, "added": [], "removed": decision.after["added"]})
            if decision.pk in on_list
            else Changed({**decision.after, "added": []})
            for decision in decisions
        ]


class UnsuppressSource(SuppressSource):
    """Takes the entry off that a rule's decision had put there; only to reverse that decision."""

    name, label = "unsuppress_source", "Take the source off a list"
    offered = False
    reverse_name = ""

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        return [None for _ in targets]

    def perform(self, decisions: Sequence[Decision]) -> None:
        SuppressionEntry.objects.filter(decision__in=[each.reverses_id for each in decisions]).delete()

    def undo(self, decision: Decision, *, force: bool) -> None:
        """Put the entry back, as the decision had made it that was reversed."""
        if decision.reverses is None:
            raise CannotUndo("The decision that this one reversed is gone.")
        decision.reverses.flow, decision.reverses.source = decision.flow, decision.source
        entries = self.entries_of(decision)
        if not force and _standing(_list(decision.flow.seller_id, decision.after["list"]), [entries]):
            raise Changed(decision.before)
        super().perform([decision.reverses])

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} taken off “{name_of(decision)}”"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.GOOD


def _moment(decision: Decision) -> dt.datetime:
    return decision.answered_at or decision.decided_at


def _until(decision: Decision) -> dt.datetime | None:
    days = decision.after.get("expires_days")
    return _moment(decision) + dt.timedelta(days=days) if days else None


def name_of(decision: Decision) -> str:
    """The list's name as it was then; decisions of old know only its URL name."""
    return str(decision.after.get("list_name") or decision.after["list"])


def _list(seller_id: int, slug: str) -> SuppressionList:
    try:
        return SuppressionList.objects.get(seller=seller_id, slug=slug)
    except SuppressionList.DoesNotExist:
        raise BadRule(f"There is no suppression list “{slug}”.") from None


def _standing(target: SuppressionList, wanted: Sequence[Sequence[Entry]]) -> set[Any]:
    """Which of the wanted entries are on the list already."""
    values = {value for entries in wanted for _, value in entries}
    return set(in_force(target.entries.filter(value__in=values)).values_list("kind", "value"))
