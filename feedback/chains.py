"""How events hang together: which takes back which, and which was put in whose place. Pure.

A feedback and the retractions after it are a chain: each link takes back the one before it, and the number of
links says whether the feedback counts. A correction is a retraction and a feedback in one change set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from feedback.fold import Event


@dataclass(slots=True)
class Chains:
    """The chains of one delivery, all by the order of their events."""

    roots: dict[int, int] = field(default_factory=dict)  # event → the feedback that its chain begins with
    tips: dict[int, int] = field(default_factory=dict)  # feedback → the last event of its chain
    links: dict[int, int] = field(default_factory=dict)  # event → how many it stands behind that feedback
    corrects: dict[int, int] = field(default_factory=dict)  # feedback → the one in whose place it was put

    @classmethod
    def of(cls, events: Iterable[Event], sets: Mapping[int, int]) -> Chains:
        """``sets``: event → its change set, where it is known."""
        chains = cls()
        taken: dict[int, int] = {}  # change set → the feedback that it took back
        for event in sorted(events, key=lambda each: each.order):
            before = event.order if event.retracts is None else event.retracts
            root = chains.roots[event.order] = chains.roots.get(before, before)
            chains.tips[root] = event.order
            chains.links[event.order] = 0 if event.retracts is None else chains.links.get(before, 0) + 1
            change_set = sets.get(event.order)
            if change_set is None:
                continue
            if event.retracts is not None:
                taken[change_set] = root
            elif change_set in taken:
                chains.corrects[event.order] = taken[change_set]
        return chains

    def counts(self, feedback: int) -> bool:
        """Whether the feedback is not taken back, or was restored."""
        return self.links[self.tips[feedback]] % 2 == 0

    def first(self, feedback: int) -> int:
        """What was said first of all in the place of this feedback: itself, where it corrects nothing."""
        while feedback in self.corrects:
            feedback = self.corrects[feedback]
        return feedback

    def heirs(self, feedback: int) -> Iterator[int]:
        """What was put in its place, and in the place of that, and so on."""
        line = {feedback}
        for new, old in sorted(self.corrects.items()):
            if old in line:
                line.add(new)
                yield new

    def corrected(self, feedback: int) -> bool:
        """Whether something else counts in its place."""
        return not self.counts(feedback) and any(map(self.counts, self.heirs(feedback)))
