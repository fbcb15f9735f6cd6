"""``Idempotency-Key``: a POST sent twice is done once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import OperationalError
from django.utils import timezone

from flows import idempotency, keys
from flows.models import Delivery, IdempotentRequest
from tests.flows.conftest import Api


@pytest.fixture
def leads(world) -> str:
    return f"/flows/{world.flow.public_id}/leads"


@pytest.fixture
def lead(world):
    def body(email: str = "maria@example.org", **more):
        return {"source": world.source.slug, "buyer": world.buyer.slug, "lead": {"email": email}, **more}

    return body


def key(text: str = "k-1") -> dict:
    return {"headers": {"Idempotency-Key": text}}


def sold(world) -> int:
    return world.flow.deliveries.exclude(pk=world.delivery.pk).count()


def aged(by: dt.timedelta) -> None:
    for row in IdempotentRequest.objects.all():
        row.claimed_at -= by
        row.save()


def test_the_first_answer_is_given_again(world, seller_api, leads, lead):
    first, again = (seller_api.post(leads, lead(), **key()) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["X-Request-Id"] != first["X-Request-Id"]
    assert sold(world) == 1


def test_without_a_key_each_is_done(world, seller_api, leads, lead):
    assert seller_api.post(leads, lead()).json()["outcome"] == "success"
    assert seller_api.post(leads, lead()).json()["reason"] == "duplicate"
    assert not IdempotentRequest.objects.exists()


def test_a_refusal_by_the_flows_state_is_an_answer_too(world, seller_api, leads, lead):
    seller_api.post(leads, lead())
    refused = seller_api.post(leads, lead(), **key())
    world.flow.deliveries.exclude(pk=world.delivery.pk).delete()
    assert seller_api.post(leads, lead(), **key()).content == refused.content


@pytest.mark.parametrize("change", [{"body": "other@example.org"}, {"query": "?a=1"}])
def test_the_same_key_with_another_request(world, seller_api, leads, lead, change):
    seller_api.post(leads, lead(), **key())
    body = lead(change.get("body", "maria@example.org"))
    response = seller_api.post(leads + change.get("query", ""), body, **key())
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert sold(world) == 1


def test_while_the_first_is_under_way(world, seller_api, leads, lead, monkeypatch):
    inner = []
    work = idempotency._work_and_keep

    def meanwhile(claim, do):
        if not inner:
            inner.append(None)
            inner[0] = seller_api.post(leads, lead(), **key())
        return work(claim, do)

    monkeypatch.setattr(idempotency, "_work_and_keep", meanwhile)
    outer = seller_api.post(leads, lead(), **key())
    assert outer.status_code == 201
    assert (inner[0].status_code, inner[0].json()["code"]) == (409, "request_in_progress")
    assert inner[0]["Retry-After"] == "1"
    assert sold(world) == 1


def test_a_claim_whose_process_died_is_taken_over_after_its_lease(world, seller_api, leads, lead):
    seller_api.post(leads, lead(), **key())
    Delivery.objects.exclude(pk=world.delivery.pk).delete()
    IdempotentRequest.objects.update(status=None, body="")  # as if the process had died before the commit
    aged(idempotency.LEASE - dt.timedelta(seconds=5))
    assert seller_api.post(leads, lead(), **key()).status_code == 409
    aged(dt.timedelta(seconds=5))
    response = seller_api.post(leads, lead(), **key())
    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response
    assert sold(world) == 1


def test_who_lost_the_claim_records_nothing(world, seller_api, leads, lead, monkeypatch):
    work = idempotency._work_and_keep

    def overtaken(claim, do):
        IdempotentRequest.objects.update(claimed_at=timezone.now() + dt.timedelta(seconds=1))
        return work(claim, do)

    monkeypatch.setattr(idempotency, "_work_and_keep", overtaken)
    assert seller_api.post(leads, lead(), **key()).status_code == 409
    assert sold(world) == 0
    assert IdempotentRequest.objects.get().status is None  # the other one's


def test_a_refused_request_frees_its_key(world, seller_api, leads, lead):
    wrong = seller_api.post(leads, lead(price=-1), **key())
    assert wrong.status_code == 422
    assert not IdempotentRequest.objects.exists()
    assert seller_api.post(leads, lead(price=1), **key()).status_code == 201


@pytest.mark.parametrize(("error", "status"), [(OperationalError("gone"), 503), (ZeroDivisionError(), 500)])
def test_a_request_that_fails_frees_its_key(world, seller_api, leads, lead, monkeypatch, error, status):
    def fail(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("flows.api.take_leads", fail)
        assert seller_api.post(leads, lead(), **key()).status_code == status
    assert not IdempotentRequest.objects.exists()
    assert seller_api.post(leads, lead(), **key()).status_code == 201


def test_after_24_hours_a_key_is_free_even_for_another_request(world, seller_api, leads, lead):
    seller_api.post(leads, lead(), **key())
    aged(idempotency.KEPT)
    response = seller_api.post(leads, lead("other@example.org"), **key())
    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response
    assert seller_api.post(leads, lead("other@example.org"), **key())["Idempotent-Replayed"] == "true"


def test_another_partys_key_is_independent(world, other_world, seller_api, leads, lead):
    seller_api.post(leads, lead(), **key())
    other = Api(keys.issue(name="Other", seller=other_world.seller)[1])
    body = {
        "source": other_world.source.slug,
        "buyer": other_world.buyer.slug,
        "lead": {"email": "maria@example.org"},
    }
    response = other.post(f"/flows/{other_world.flow.public_id}/leads", body, **key())
    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response


def test_a_test_key_is_answered_alike_and_by_itself(world, seller_api, leads, lead):
    trial = Api(keys.issue(name="Trial", seller=world.seller, livemode=False)[1])
    assert "Idempotent-Replayed" not in trial.post(leads, lead(), **key())
    assert trial.post(leads, lead(), **key())["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in seller_api.post(leads, lead(), **key())


@pytest.mark.parametrize("good", ["a", "x" * 255, '"quoted"', "with space"])
def test_what_a_key_may_be(seller_api, leads, lead, good):
    assert seller_api.post(leads, lead(), **key(good)).status_code == 201


@pytest.mark.parametrize("wrong", ["", "x" * 256, "\x7f", "naïve"])
def test_what_is_no_key(world, seller_api, leads, lead, wrong):
    response = seller_api.post(leads, lead(), **key(wrong))
    assert response.status_code == 422
    assert [fault["field"] for fault in response.json()["errors"]] == ["Idempotency-Key"]
    assert sold(world) == 0
