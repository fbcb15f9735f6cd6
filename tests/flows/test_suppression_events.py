"""`contact.suppressed`: whoever keeps a list of their own hears of every contact that comes onto ours."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.timezone import now

from flows import contact_events, keys
from flows.models import Alert, Endpoint, OutboxMessage, SuppressionEntry, SuppressionList
from flows.suppression import add_all, remove_all
from tests.admin_pages import filled, url
from tests.flows.test_decisions import decide


@pytest.fixture
def returns(world) -> SuppressionList:
    return SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")


@pytest.fixture(autouse=True)
def endpoint(world, other_world) -> Endpoint:
    Endpoint.objects.create(seller=other_world.seller, name="Stranger", url="https://x.example")
    Endpoint.objects.create(seller=world.seller, name="Off", url="https://x.example", enabled=False)
    wanted = ["contact.suppressed", "alert.raised"]
    return Endpoint.objects.create(seller=world.seller, name="CRM", url="https://x.example", events=wanted)


def told(type_="contact.suppressed") -> list[dict]:
    rows = OutboxMessage.objects.filter(endpoint__isnull=False, event=type_).order_by("pk")
    return [json.loads(row.payload["body"])["data"] for row in rows]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def by_hand(world, returns, as_user, values):
    client, address = as_user(world.owner), url(returns, "change")
    client.post(address, filled(client, address, values="\n".join(values)))


def one_entry(world, returns, as_user, values):
    client, address = as_user(world.owner), url(SuppressionEntry, "add")
    for value in values:
        sent = {"list": returns.pk, "kind": "email" if "@" in value else "phone", "value": value}
        client.post(address, filled(client, address, **sent))


def by_file(world, returns, as_user, values):
    file = SimpleUploadedFile("values.csv", "\n".join(values).encode())
    as_user(world.owner).post(url(returns, "import"), {"file": file, "do": "add"})


def by_api(world, returns, as_user, values, livemode=True):
    key = keys.issue(name="Router", seller=world.seller, livemode=livemode)[1]
    body = json.dumps({"values": values})
    headers = {"X-API-Key": key}
    Client().post("/lists/returns/items", body, content_type="application/json", headers=headers)


WAYS = [(by_hand, "person"), (one_entry, "person"), (by_file, "file"), (by_api, "api")]


@pytest.mark.parametrize(("way", "origin"), WAYS)
def test_each_contact_is_told_once_whoever_adds_it(world, returns, as_user, way, origin):
    for _ in "twice":
        way(world, returns, as_user, ["Maria@Example.com", "(512) 555-0147"])
    assert {each["kinds"][0]: each for each in told()} == {
        kind: {
            "lead_id": None, "external_id": None, "flow_id": None, "source": None, "rule": None,
            "list": "returns", "list_name": "Returns", "kinds": [kind], "sha256": {kind: sha(value)},
            "origin": origin, "expires_at": None,
        }
        for kind, value in (("email", "maria@example.com"), ("phone", "+15125550147"))
    }  # fmt: skip
    assert len(told()) == 2
    stored = str(list(OutboxMessage.objects.filter(event="contact.suppressed").values_list("payload")))
    assert "maria" not in stored.lower()
    assert "5125550147" not in stored


def test_a_rule_tells_it_in_the_same_shape(world, returns):
    (decision,) = decide(
        world, "suppress_contact", {"list": "returns", "expires_days": 30}, delivery=world.delivery
    )
    lead, (data,) = world.delivery.lead, told()
    until = decision.decided_at + dt.timedelta(days=30)
    assert dt.datetime.fromisoformat(data.pop("expires_at")) == until
    assert data == {
        "lead_id": world.delivery.public_id, "external_id": None, "flow_id": world.flow.public_id,
        "source": world.source.slug, "rule": "suppress_contact", "list": "returns", "list_name": "Returns",
        "kinds": ["email", "phone"], "origin": "rule",
        "sha256": {"email": sha(lead.email_normalised), "phone": sha(lead.phone_e164)},
    }  # fmt: skip


def test_what_stands_for_longer_is_told_with_its_new_end(returns):
    value, later = [("email", "a@example.com")], now() + dt.timedelta(days=9)
    add_all(returns, value, origin="api", expires_at=later - dt.timedelta(days=1))
    add_all(returns, value, origin="api", expires_at=later)
    add_all(returns, value, origin="api", expires_at=later - dt.timedelta(days=2))
    ends = [dt.datetime.fromisoformat(each["expires_at"]) for each in told()]
    assert ends == [later - dt.timedelta(days=1), later]
    remove_all(returns, value)
    add_all(returns, value, origin="api")
    assert told()[-1]["expires_at"] is None


def test_what_is_no_contact_or_over_or_only_tried_is_not_told(world, returns, as_user):
    add_all(returns, [("source", "flw_x/facebook")], origin="person")
    add_all(returns, [("email", "old@example.com")], origin="person", expires_at=now())
    by_api(world, returns, as_user, ["maria@example.com"], livemode=False)
    assert not told()


def test_a_channel_for_people_is_not_flooded(world, returns):
    Endpoint.objects.update(kind=Endpoint.Kind.SLACK)
    add_all(returns, [("email", "a@example.com")], origin="person")
    assert not OutboxMessage.objects.exists()
    decide(world, "suppress_contact", {"list": "returns"}, delivery=world.delivery)
    assert OutboxMessage.objects.filter(event="contact.suppressed").count() == 1


@pytest.mark.parametrize("count", [1, 900])
def test_many_take_few_queries(world, returns, django_assert_max_num_queries, count):
    values = [("email", f"a{number}@example.com") for number in range(count)]
    with django_assert_max_num_queries(30):
        add_all(returns, values, origin="api")
    assert len(told()) == count


def test_too_long_a_file_is_told_as_one_alert(world, returns, as_user, monkeypatch):
    monkeypatch.setattr(contact_events, "MOST", 2)
    by_file(world, returns, as_user, ["a@example.com", "b@example.com"])
    assert len(told()) == 2
    by_file(world, returns, as_user, ["c@example.com", "d@example.com", "e@example.com"])
    assert len(told()) == 2
    (alert,) = told("alert.raised")
    assert alert["title"] == "3 values put on “Returns” from a file"
    assert "Export as CSV" in Alert.objects.get().body


def test_without_anybody_who_listens_a_long_file_alerts_nobody(world, returns, as_user, monkeypatch):
    monkeypatch.setattr(contact_events, "MOST", 2)
    Endpoint.objects.update(events=["alert.raised"])
    by_file(world, returns, as_user, ["c@example.com", "d@example.com", "e@example.com"])
    assert returns.entries.count() == 3
    assert not Alert.objects.exists()
