"""From nothing to the first feedback, with nothing but the admin and the two API calls it leads to."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from flows.models import Agreement, ApiKey, Flow, Source
from portal.models import Buyer
from tests import factories as make
from tests.admin_pages import filled, url

KEY = re.compile(r'class="secret">(ll_[^<]+)<')


@pytest.fixture
def owner(db, as_user):
    """A client of a seller who has nothing yet."""
    return as_user(make.MembershipFactory(seller=make.SellerFactory()).user)


def add(client, model, **values):
    address = url(model, "add")
    response = client.post(address, filled(client, address, **values))
    assert response.status_code == 302 or "shown once" in response.text.lower(), response.text
    return response


def send(client, address, key, body):
    return client.post(address, json.dumps(body), content_type="application/json", headers={"X-API-Key": key})


def steps_left(client, flow):
    return sum(not step.done for step in client.get(url(flow, "change")).context["steps"])


def test_a_seller_sets_a_flow_up_and_the_first_feedback_comes_back(owner, client):
    assert "Add the first flow" in owner.get("/admin/").text
    add(owner, Flow, name="Solar West", preset="full_revenue")
    flow = Flow.objects.get()
    assert "Add the first flow" not in owner.get("/admin/").text
    assert steps_left(owner, flow) == 6
    add(
        owner, Source, flow=flow.pk, name="Facebook", slug="facebook", base_price="25", price_adjustment="1.2"
    )
    add(owner, Buyer, name="Sunrise", slug="sunrise")
    buyer = Buyer.objects.get()
    add(owner, Agreement, flow=flow.pk, buyer=buyer.pk)
    ours = KEY.search(add(owner, ApiKey, name="Leads", buyer="").text)[1]
    shown = add(owner, ApiKey, name="CRM", buyer=buyer.pk).text
    theirs = KEY.search(shown)[1]
    assert steps_left(owner, flow) == 2

    lead = {"first_name": "Maria", "last_name": "Keller", "email": "maria@example.com", "phone": "5125551212"}
    sold = send(
        client,
        f"/flows/{flow.public_id}/leads",
        ours,
        {"source": "facebook", "buyer": "sunrise", "lead": lead},
    )
    assert sold.status_code == 201
    assert sold.json()["price"] == "30.00"

    example = json.loads(re.search(r"-d '(\{.*?\})'", unescape(shown), re.DOTALL)[1])
    address = f"/flows/{flow.public_id}/feedback"
    tried = send(client, address, theirs, example)
    assert (tried.status_code, tried.json()["status"]) == (200, "test")
    news = {"lead_id": sold.json()["lead_id"], "outcome": "converted", "revenue": 1500}
    assert send(client, address, theirs, news).status_code == 201
    assert steps_left(owner, flow) == 0
    assert "1,500.00\N{NO-BREAK SPACE}USD" in owner.get(url(flow.deliveries.get(), "change")).text
