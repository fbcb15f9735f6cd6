"""What is remembered of how a buyer's files are to be understood, and what is guessed where nothing is."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from feedback import mapping as meaning
from feedback.mapping import Mapping
from feedback.models import RememberedMapping, Upload
from feedback.peek import Peek
from feedback.proposals import may_propose
from feedback.schema import compile_schema


def of_same_head(upload: Upload, peek: Peek) -> RememberedMapping | None:
    """What is remembered of files with this head. Files of the refused rows have that of the whole file."""
    return _memories(upload).filter(head=key_of(peek)).select_related("upload").first()


def understood(upload: Upload, peek: Peek) -> Mapping:
    """By what is remembered of such a file; else guessed, with the values that the last file taught."""
    same = of_same_head(upload, peek)
    if same is not None:
        return _fitted(Mapping.from_json(same.mapping), upload, peek)
    newest = _memories(upload).order_by("-updated_at").first()
    values: AnyMapping[str, Any] = newest.mapping.get("values", {}) if newest else {}
    return Mapping(guessed(upload, peek), values)


def guessed(upload: Upload, peek: Peek) -> tuple[str, ...]:
    """The columns' targets; contacts only where leads may be looked for by them."""
    found = meaning.guess(peek.head, [row.cells for row in peek.rows], compile_schema(upload.flow))
    if may_propose(upload):
        return found
    return tuple(meaning.LEAVE_OUT if target in meaning.CONTACT else target for target in found)


def remember(upload: Upload, peek: Peek) -> None:
    """Understand the next file with this head as this one was."""
    RememberedMapping.objects.update_or_create(
        flow=upload.flow,
        buyer_id=upload.buyer_id,
        head=key_of(peek),
        defaults={"mapping": upload.mapping, "upload": upload, "updated_at": timezone.now()},
    )


def key_of(peek: Peek) -> str:
    return meaning.head_key(peek.head, peek.width)


def _fitted(known: Mapping, upload: Upload, peek: Peek) -> Mapping:
    """For as many columns as there are now, and without fields that the flow has no more."""
    targets = meaning.targets(compile_schema(upload.flow))
    kept = [each if each in targets else meaning.LEAVE_OUT for each in known.columns[: peek.width]]
    return Mapping((*kept, *[meaning.LEAVE_OUT] * (peek.width - len(kept))), known.values)


def _memories(upload: Upload) -> QuerySet[RememberedMapping]:
    return RememberedMapping.objects.filter(flow=upload.flow_id, buyer=upload.buyer_id)
