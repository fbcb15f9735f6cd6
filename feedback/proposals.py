"""Leads that rows without a known id may speak of, found by contact. A person accepts each one used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from feedback.mapping import CONTACT
from feedback.models import ProposedMatch, Upload
from feedback.submission import Submission
from feedback.upload_rows import origin_of
from flows.models import Agreement, Delivery
from flows.problems import Problem, ProblemError
from flows.suppression import normalise_email, normalise_phone
from portal.access import visible_to

Basis = ProposedMatch.Basis
BASES: Mapping[tuple[bool, bool], Basis] = {
    (True, True): Basis.BOTH,
    (True, False): Basis.EMAIL,
    (False, True): Basis.PHONE,
}
CERTAINTY: Mapping[str, int] = {Basis.BOTH: 98, Basis.EMAIL: 90, Basis.PHONE: 80}  # percent
MOST = 3  # leads proposed for one row
NAMED_TOO = "The lead with this contact is named by its id on another line. Say all of it on one line."
NOT_ACCEPTED = "No lead has this id. One was proposed by its contact, and nobody accepted it."


def confidence(basis: str, rivals: int) -> int:
    """How certain a match is, in percent. ``rivals``: other leads that match as well or better.

    E-mail and phone of one lead 98, an e-mail alone 90 (a mailbox is shared now and then), a phone alone 80
    (in families and offices often); halved for each rival. A convention for sorting, not an estimate.
    """
    return CERTAINTY[basis] >> rivals


def may_propose(upload: Upload) -> bool:
    """Whether the buyer is shown the contacts of this flow's leads; else a match would give them away."""
    return Agreement.objects.filter(flow=upload.flow_id, buyer=upload.buyer_id, shows_contact=True).exists()


def propose(upload: Upload, contacts: Mapping[int, tuple[str, str]]) -> dict[int, list[ProposedMatch]]:
    """Line → the leads that it may speak of, the most certain first, not saved. Two queries at most.

    ``contacts``: line → e-mail and phone as they stand in the file, "" where there is none.
    """
    country = upload.flow.country
    known = {
        line: (normalise_email(email), normalise_phone(phone, country))
        for line, (email, phone) in contacts.items()
    }
    by_email = _deliveries(upload, "email_normalised", {email for email, _ in known.values()})
    by_phone = _deliveries(upload, "phone_e164", {phone for _, phone in known.values()})
    return {
        line: proposals
        for line, (email, phone) in known.items()
        if (proposals := _of_row(upload, line, contacts[line], by_email[email], by_phone[phone]))
    }


def _deliveries(upload: Upload, column: str, wanted: set[str]) -> Mapping[str, list[Delivery]]:
    found: dict[str, list[Delivery]] = defaultdict(list)
    if texts := wanted - {""}:
        mine = visible_to(origin_of(upload).actor, Delivery.objects.filter(flow=upload.flow_id))
        rows = mine.filter(lead__flow=upload.flow_id, **{f"lead__{column}__in": texts})
        for delivery in rows.select_related("lead").order_by("-delivered_at", "-pk"):
            found[getattr(delivery.lead, column)].append(delivery)
    return found


def _of_row(
    upload: Upload,
    line: int,
    contact: tuple[str, str],
    by_email: Sequence[Delivery],
    by_phone: Sequence[Delivery],
) -> list[ProposedMatch]:
    emails, phones = ({each.pk for each in found} for found in (by_email, by_phone))
    bases = {
        delivery.pk: (delivery, BASES[delivery.pk in emails, delivery.pk in phones])
        for delivery in (*by_email, *by_phone)
    }
    found = [
        ProposedMatch(
            upload=upload,
            line=line,
            delivery=delivery,
            basis=basis,
            confidence=confidence(basis, _rivals(basis, bases.values())),
            contact=" · ".join(filter(None, contact))[:300],
        )
        for delivery, basis in bases.values()
    ]
    return sorted(found, key=lambda each: -each.confidence)[:MOST]


def _rivals(basis: str, found: Iterable[tuple[Delivery, Basis]]) -> int:
    return sum(CERTAINTY[other] >= CERTAINTY[basis] for _, other in found) - 1


def with_accepted(upload: Upload, submissions: Sequence[Submission]) -> list[Submission]:
    """The submissions, those whose match was accepted with the lead's id. One query at most."""
    if not _by_contact(upload):
        return list(submissions)
    lines = [each.index for each in submissions]
    accepted = upload.proposals.filter(accepted=True, line__in=lines)
    leads = dict(accepted.values_list("line", "delivery__public_id"))
    return [
        replace(each, payload=naming(each.payload, leads[each.index])) if each.index in leads else each
        for each in submissions
    ]


def naming(payload: Mapping[str, Any], lead_id: str) -> dict[str, Any]:
    """The payload, about that lead. An id of the buyer's own stays, so that it can be learned."""
    return {**payload, "lead_id": lead_id}


def not_accepted(upload: Upload, refused: Mapping[int, str]) -> dict[int, str]:
    """Line → why it was refused, for those of the refused lines that had a match which nobody accepted."""
    if not refused or not _by_contact(upload):
        return {}
    proposed = upload.proposals.filter(line__in=list(refused))
    accepted = dict(proposed.order_by("accepted").values_list("line", "accepted"))
    return {line: NOT_ACCEPTED for line, taken in accepted.items() if not taken}


def _by_contact(upload: Upload) -> bool:
    return not {*CONTACT}.isdisjoint(upload.mapping.get("columns", ()))


def ordered(upload: Upload) -> QuerySet[ProposedMatch]:
    """The proposals as they are shown: the most certain first."""
    return upload.proposals.select_related("delivery__lead").order_by("-confidence", "line", "pk")


def beyond(rows: QuerySet[ProposedMatch], place: tuple[int, int, int] | None) -> QuerySet[ProposedMatch]:
    """The rows after one with that confidence, line and key, in the order of `ordered`."""
    if place is None:
        return rows
    confidence, line, pk = place
    same = Q(confidence=confidence)
    return rows.filter(
        Q(confidence__lt=confidence) | same & Q(line__gt=line) | same & Q(line=line, pk__gt=pk)
    )


def waiting(upload: Upload) -> dict[str, int]:
    """Basis → how many rows `accept_all` would match."""
    return {basis: _clear(upload, basis).count() for basis in Basis.values}


@transaction.atomic
def accept(upload: Upload, proposal_ids: Collection[int]) -> int:
    """Accept these matches, in place of others of the same rows. → how many.

    ValueError where two leads were chosen for one row, or one lead for two rows, as rows on one lead can
    contradict each other; ProblemError 409 unless the upload waits for that.
    """
    _lock(upload)
    chosen = list(upload.proposals.filter(pk__in=proposal_ids))
    lines = [each.line for each in chosen]
    if twice := sorted({line for line in lines if lines.count(line) > 1}):
        raise ValueError(f"Choose one lead for line {twice[0]}.")
    others = upload.proposals.filter(accepted=True).exclude(line__in=lines)
    taken = dict(others.values_list("delivery", "line"))
    for each in chosen:
        if each.delivery_id in taken:
            first, second = sorted((taken[each.delivery_id], each.line))
            raise ValueError(f"Lines {first} and {second} would speak of one lead. Accept one of them.")
        taken[each.delivery_id] = each.line
    upload.proposals.filter(line__in=lines, accepted=True).update(accepted=False)
    return upload.proposals.filter(pk__in=[each.pk for each in chosen]).update(accepted=True)


@transaction.atomic
def withdraw(upload: Upload, proposal_ids: Collection[int]) -> int:
    """Accept these no longer. → how many were. ProblemError 409 as for `accept`."""
    _lock(upload)
    return upload.proposals.filter(pk__in=proposal_ids, accepted=True).update(accepted=False)


@transaction.atomic
def accept_all(upload: Upload, basis: str) -> int:
    """Accept every match of that basis that has no rival, for rows and leads without one. → how many."""
    _lock(upload)
    return _clear(upload, basis).update(accepted=True)


def _clear(upload: Upload, basis: str) -> QuerySet[ProposedMatch]:
    """One lead was found for the row, or one alone by e-mail and phone, and none is accepted."""
    rivals = Q(basis=Basis.BOTH) if basis == Basis.BOTH else Q()
    alone = (
        upload.proposals.order_by()
        .values("line")
        .annotate(found=Count("pk", filter=rivals), taken=Count("pk", filter=Q(accepted=True)))
        .filter(found=1, taken=0)
    )
    clear = upload.proposals.order_by().filter(basis=basis, line__in=alone.values("line"))
    shared = clear.values("delivery").annotate(rows=Count("pk")).filter(rows__gt=1)
    taken = upload.proposals.order_by().filter(accepted=True)
    return clear.exclude(delivery__in=shared.values("delivery")).exclude(
        delivery__in=taken.values("delivery")
    )


def withdraw_named(upload: Upload, named: Callable[[Mapping[str, int]], set[int]]) -> list[int]:
    """Propose no lead that the file names by an id as well, as its rows would not be compared.

    ``named``: id (a lead's or the buyer's own) → delivery of those proposed, in; the deliveries found among
    the file's rows, out. → the lines that have no proposal any more.
    """
    rows = upload.proposals.values_list("delivery", "delivery__public_id", "delivery__external_id").distinct()
    ids = {name: delivery for delivery, *names in rows.order_by() for name in names if name}
    gone = upload.proposals.filter(delivery__in=named(ids)) if ids else upload.proposals.none()
    lines = set(gone.values_list("line", flat=True))
    gone.delete()
    return sorted(lines - set(upload.proposals.filter(line__in=lines).values_list("line", flat=True)))


def _lock(upload: Upload) -> None:
    row = Upload.objects.select_for_update().get(pk=upload.pk)
    if row.status != Upload.Status.CHECKED:
        detail = "The matches of this file can no longer be changed. Look at the upload again."
        raise ProblemError(Problem(409, "upload_not_checked", "Not now", detail))
