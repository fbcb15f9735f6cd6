"""Pause and resume: a source for everybody, or for one of its buyers."""

from __future__ import annotations

from collections.abc import Sequence

from flows.actions.base import Change, Params, State, Target, of_pair
from flows.actions.sources import Holder, SourceAction
from flows.models import Alert, Decision, Rule, Source, SourceBuyer


class StatusAction(SourceAction):
    """Sets the status and its reason: of the source, or of its standing with the buyer that it is about."""

    columns = ("status", "status_reason")
    for_pairs = True

    def holders(self, things: Sequence[Target | Decision]) -> list[Holder]:
        """A pair without a row is active: its row is made when there is something to write."""
        pairs = [(thing.source.pk, thing.buyer.pk) for thing in things if thing.buyer]
        known = _known(pairs) if pairs else {}
        return [
            known.get((thing.source.pk, thing.buyer.pk))
            or SourceBuyer(source_id=thing.source.pk, buyer_id=thing.buyer.pk)
            if thing.buyer
            else thing.source
            for thing in things
        ]


class PauseSource(StatusAction):
    """Buy nothing more from it, or nothing for this buyer; intake refuses its leads as ``source_paused``."""

    name, label = "pause_source", "Pause the source"
    reverse_name = "resume_source"

    def wanted(self, row: Holder, params: Params, reason: str) -> State | None:
        if row.status == Source.Status.PAUSED:
            return None
        return {"status": Source.Status.PAUSED.value, "status_reason": reason[:255]}

    def reversed(self, decision: Decision, reason: str) -> State:
        """Active as it was before, for the reason that the condition has cleared."""
        return {**decision.before, "status_reason": reason[:255]}

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} paused{of_pair(decision)}"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.BAD


class ResumeSource(StatusAction):
    """Buy again from a source that a rule paused. What a person paused stays paused."""

    name, label = "resume_source", "Resume the source"

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        pauses = Decision.objects.filter(
            source__in=[target.source.pk for target in targets],
            action=PauseSource.name,
            status=Decision.Status.APPLIED,
        )
        by_rule = {(pause.source_id, pause.buyer_id, pause.after["status_reason"]) for pause in pauses}
        return [
            self._change(row, target.reason, params) if (*target.key, row.status_reason) in by_rule else None
            for row, target in zip(self.holders(targets), targets, strict=True)
        ]

    def wanted(self, row: Holder, params: Params, reason: str) -> State | None:
        return {"status": Source.Status.ACTIVE.value, "status_reason": ""}

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} resumed{of_pair(decision)}"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.GOOD


def _known(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], SourceBuyer]:
    """The rows of these pairs that there are."""
    rows = SourceBuyer.objects.filter(
        source__in={source for source, _ in pairs}, buyer__in={buyer for _, buyer in pairs}
    )
    return {(row.source_id, row.buyer_id): row for row in rows}
