"""The guide's shared link: a signed text that names a flow and an agreement, and ends when it is renewed."""

from __future__ import annotations

from django.core.signing import BadSignature, Signer
from django.db.models import F
from django.http import Http404

from flows.models import Agreement


def _signer() -> Signer:
    return Signer(salt="leadloop.guide")


def token_of(agreement: Agreement) -> str:
    """What stands in the link: no secret, and nothing but public ids and numbers."""
    return _signer().sign(f"{agreement.flow.public_id}:{agreement.pk}:{agreement.guide_version}")


def agreement_of(token: str) -> Agreement:
    """The agreement whose guide the link shows. Http404 for a link that was made up or has been renewed."""
    try:
        flow_id, pk, version = _signer().unsign(token).split(":")
    except (BadSignature, ValueError):
        raise Http404("This link to a guide is not valid.") from None
    wanted = Agreement.objects.filter(pk=pk, guide_version=version, flow__public_id=flow_id)
    agreement = wanted.select_related("flow", "buyer").first()
    if agreement is None:
        raise Http404("This link to a guide is not valid.")
    return agreement


def renew(agreement: Agreement) -> None:
    """End the link and make another."""
    Agreement.objects.filter(pk=agreement.pk).update(guide_version=F("guide_version") + 1)
    agreement.refresh_from_db(fields=["guide_version"])
