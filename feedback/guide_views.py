"""The buyer guide's pages: for people of the house, and by a link without log-in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_POST, require_safe

from feedback.desk import Desk
from feedback.guide import guide_of
from feedback.guide_links import agreement_of, renew, token_of
from flows.models import Agreement, Flow
from portal.access import BUYERS, SELLERS, ActorRequest, Role, allow, get_or_404, visible_to

RENEWERS = (Role.BUYER_MANAGER, Role.SELLER_OWNER)


@require_safe
@allow(*BUYERS)
def guides(request: ActorRequest) -> HttpResponse:
    """To the guide of the buyer's flow; where there are several, to their list."""
    flows = Desk(request.actor).flows
    if len(flows) == 1:
        return redirect("guide", flows[0].public_id)
    return redirect(f"{reverse('developers')}#flows-title")


@require_safe
@allow(*BUYERS, *SELLERS)
def guide(request: ActorRequest, flow_id: str) -> HttpResponse:
    """The flow's guide, and the links by which it can be shared."""
    flow = get_or_404(request.actor, Flow.objects.all(), public_id=flow_id)
    agreements = _agreements(request, flow)
    own = agreements[0] if request.actor.is_buyer and agreements else None
    context = {
        "guide": guide_of(flow, own),
        "links": [_link(agreement) for agreement in agreements],
        "may_renew": request.actor.role in RENEWERS,
    }
    return render(request, "feedback/developers/guide.html", context)


@require_POST
@allow(*RENEWERS)
def guide_renew(request: ActorRequest, flow_id: str, pk: int) -> HttpResponse:
    """End the link of an agreement and make another."""
    renew(get_or_404(request.actor, Agreement.objects.all(), pk=pk, flow__public_id=flow_id))
    messages.success(request, "The link is renewed. The one before it opens nothing any more.")
    return redirect("guide", flow_id)


@require_safe
def guide_shared(request: HttpRequest, token: str) -> HttpResponse:
    """The guide for whoever has the link."""
    agreement = agreement_of(token)
    response = render(
        request, "feedback/developers/guide_shared.html", {"guide": guide_of(agreement.flow, agreement)}
    )
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _agreements(request: ActorRequest, flow: Flow) -> list[Agreement]:
    rows = Agreement.objects.filter(flow=flow).select_related("flow", "buyer").order_by("buyer__name", "pk")
    return list(visible_to(request.actor, rows))


def _link(agreement: Agreement) -> dict[str, Any]:
    path = reverse("guide-shared", args=[token_of(agreement)])
    return {"agreement": agreement, "url": f"{settings.BASE_URL}{path}"}
