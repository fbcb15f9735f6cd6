"""The one shape of feedback on its way in: whatever the door, it makes these and gets receipts back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flows.problems import Problem
from portal.access import Actor

if TYPE_CHECKING:
    from feedback.models import BulkChange, Upload
    from flows.models import Delivery


@dataclass(frozen=True, slots=True)
class Submission:
    """One piece of feedback as a door read it, not yet validated.

    ``payload`` holds JSON-typed values (text, bool, int, Decimal, None, list, dict) under the schema's field
    names, together with ``lead_id`` and ``external_id``. Doors whose cells are texts (files, forms)
    convert them with ``Schema.from_texts`` first. ``expected_version`` is the ``Delivery.version`` that a
    person had before their eyes; where the delivery has moved on, the submission is refused as stale.
    """

    index: int
    payload: Mapping[str, Any]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sends a list of submissions, and by which door: what becomes its change set."""

    actor: Actor  # whose deliveries may be matched
    door: str  # feedback.models.Door
    livemode: bool = True
    upload: Upload | None = None
    request_id: str = ""
    bulk: BulkChange | None = None
    learns_ids: bool = False  # an external_id beside lead_id that is not on record is put there


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one submission.

    ``delivery`` carries the state after the fold (for a test: as it would be) and is None for a rejected one.
    ``applied`` is False where newer feedback already stood for every field that was sent. ``would_be``: the
    status of a test, had it been none. ``learned``: the buyer's own id of the lead was put on record with it.
    """

    index: int
    status: Literal["recorded", "unchanged", "rejected", "test"]
    feedback_id: str | None = None
    delivery: Delivery | None = None
    applied: bool = False
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None
    would_be: str = ""
    learned: bool = False
