"""Actions that put what a rule fired on onto a suppression list."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from django.utils import timezone

from flows.actions.base import Action, BadRule, CannotUndo, Change, Changed, Params, Target
from flows.actions.entries import Entry, note, outlasts, over, own_list, replace, rows_of
from flows.actions.made import Made, end_of, entries_of, made_by, take_back
from flows.contact_events import announce_decisions
from flows.models import Alert, Decision, Rule, SuppressionEntry, SuppressionList
from flows.suppression import source_value

Kind = SuppressionEntry.Kind


class ListAction(Action):
    """Adds entries to the list named by the parameter ``list`` (its URL name), for ``expires_days`` or for
    good. What stands there for as long is left; what ends sooner is lengthened.

    The decision says which kinds were added, and what had stood there (``before["stood"]``, see
    `flows.actions.entries`), not the values.
    """

    renews: ClassVar[bool]  # whether the rule lengthens also what it has put there itself

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

    def ready(self, rule: Rule) -> bool:
        slug = self.clean(rule.params)["list"]
        return SuppressionList.objects.filter(seller=rule.flow.seller_id, slug=slug).exists()

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        wanted = [self.entries_of(target) for target in targets]
        listed = own_list(rule.flow.seller_id, params["list"])
        named = {"list": params["list"], "list_name": listed.name}
        days = params.get("expires_days")
        timed = {**named, "expires_days": days} if days else named
        now = timezone.now()
        until = now + dt.timedelta(days=days) if days else None
        rows = rows_of(listed, (entry for entries in wanted for entry in entries))
        standing = {entry: row for entry, row in rows.items() if not over(row.expires_at, now)}
        enough = {entry for entry, row in standing.items() if not self._lengthens(rule, row, until)}
        changes: list[Change | None] = []
        for entries in wanted:
            new = sorted(set(entries) - enough)
            enough.update(new)  # of two targets with one contact the first adds it
            stood = {kind: note(standing[kind, value]) for kind, value in new if (kind, value) in standing}
            before = {**named, "stood": stood} if stood else {}
            changes.append(Change(before, {**timed, "added": [kind for kind, _ in new]}) if new else None)
        return changes

    def _lengthens(self, rule: Rule, row: SuppressionEntry, until: dt.datetime | None) -> bool:
        own = row.decision is not None and row.decision.rule_id == rule.pk
        return outlasts(until, row.expires_at) and (self.renews or not own)

    def perform(self, decisions: Sequence[Decision]) -> None:
        listed = own_list(decisions[0].flow.seller_id, decisions[0].after["list"])
        made = (entries_of(listed, each, self.added_by(each)) for each in decisions)
        replace(listed, (), [entry for entries in made for entry in entries])

    def added_by(self, decision: Decision) -> list[Entry]:
        """What the decision puts on its list."""
        return [(kind, value) for kind, value in self.entries_of(decision) if kind in decision.after["added"]]

    def made_by(self, decisions: Sequence[Decision]) -> list[Made]:
        """What has become of it."""
        return made_by([(each, self.added_by(each)) for each in decisions], now=timezone.now())

    def undo(self, decision: Decision, *, force: bool) -> None:
        if not force and (changed := self.in_the_way(decision)):
            raise changed
        take_back(self.made_by([decision]))

    def in_the_way(self, decision: Decision) -> Changed | None:
        """What somebody has changed of the decision's entries since; without the list nothing can be told."""
        (made,) = self.made_by([decision])
        return None if made.listed is None or made.is_as_made() else Changed(made.stands())


class SuppressContact(ListAction):
    """The lead's e-mail and phone: not to be bought again."""

    name, label = "suppress_contact", "Put the contact on a list"
    per_source = False
    needs_delivery = True
    renews = True  # it fires once for each delivery, so this is another one

    def perform(self, decisions: Sequence[Decision]) -> None:
        super().perform(decisions)
        announce_decisions([(each, self.added_by(each), end_of(each)) for each in decisions])

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
    renews = False  # while it is there it brings no leads, so each look would find the same and add a day

    def entries_of(self, target: Target | Decision) -> list[Entry]:
        return [source_value(target.source.flow, target.source)]

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} put on “{name_of(decision)}”"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.BAD

    def plan_reverse(self, decisions: Sequence[Decision], reasons: Sequence[str]) -> list[Change | Changed]:
        return [_way_back(made) for made in self.made_by(decisions)]


def _way_back(made: Made) -> Change | Changed:
    if not made.is_as_made():
        return Changed(made.stands())
    before, after = made.decision.before, made.decision.after
    return Change(after, before if made.stood else {**after, "added": [], "removed": after["added"]})


class UnsuppressSource(SuppressSource):
    """Takes back what a rule's decision had put on a list; only to reverse that decision."""

    name, label = "unsuppress_source", "Take the source off a list"
    offered = False
    reverse_name = ""

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        return [None for _ in targets]

    def perform(self, decisions: Sequence[Decision]) -> None:
        take_back(self.made_by([_reversed_by(each) for each in decisions]))

    def undo(self, decision: Decision, *, force: bool) -> None:
        """Put the entry back, as the decision had made it that was reversed, unless its time is over."""
        if not force and (changed := self.in_the_way(decision)):
            raise changed
        (made,) = self.made_by([_reversed_by(decision)])
        made.make_again()

    def in_the_way(self, decision: Decision) -> Changed | None:
        (made,) = self.made_by([_reversed_by(decision)])
        return None if made.listed is None or made.is_taken_back() else Changed(made.stands())

    def headline(self, decision: Decision) -> str:
        if "stood" in decision.after:
            return f"{decision.source} as before on “{name_of(decision)}”"
        return f"{decision.source} taken off “{name_of(decision)}”"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.GOOD


def name_of(decision: Decision) -> str:
    """The list's name as it was then; decisions of old know only its URL name."""
    return str(decision.after.get("list_name") or decision.after["list"])


def _reversed_by(decision: Decision) -> Decision:
    """The decision that this one reversed, of the same source."""
    first = decision.reverses
    if first is None:
        raise CannotUndo("The decision that this one reversed is gone.")
    first.flow, first.source = decision.flow, decision.source
    return first
