"""POST /flows/{id}/feedback/batch: many pieces in one request."""

from __future__ import annotations

import json

import pytest

from feedback.models import ChangeSet, Feedback
from tests.feedback.conftest import fault_codes

pytestmark = pytest.mark.django_db
UNKNOWN = {"lead_id": "evt_unknown", "outcome": "contacted"}


@pytest.fixture
def post(api):
    def _post(rows, query: str = "", **headers):
        return api.post({"feedback": rows}, suffix=f"/batch{query}", **headers)

    return _post


def test_good_rows_are_kept_when_others_are_refused(post, lead):
    rows = [
        {"lead_id": lead, "outcome": "contacted"},
        {"lead_id": lead, "outcome": "sold"},
        UNKNOWN,
        {"lead_id": lead, "outcome": "converted"},
        {"lead_id": lead, "outcome": "converted"},
    ]
    response = post(rows, x_request_id="b-1")
    assert response.status_code == 200
    answer = response.json()
    assert (answer["recorded"], answer["unchanged"], answer["rejected"]) == (2, 1, 2)
    assert [result["index"] for result in answer["results"]] == [0, 1, 2, 3, 4]
    statuses = [result["status"] for result in answer["results"]]
    assert statuses == ["recorded", "rejected", "rejected", "recorded", "unchanged"]
    assert answer["results"][4]["feedback_id"] == answer["results"][3]["feedback_id"]
    refused = answer["results"][1]["problem"]
    assert (refused["code"], refused["request_id"]) == ("validation_failed", "b-1")
    assert refused["errors"][0]["did_you_mean"] == "converted"
    assert answer["results"][2]["problem"]["code"] == "lead_not_found"
    assert Feedback.objects.count() == 2 and ChangeSet.objects.count() == 1


def test_all_or_none(post, lead):
    good = {"lead_id": lead, "outcome": "contacted"}
    response = post([good, {"lead_id": lead, "outcome": "sold", "x": 1}, UNKNOWN], "?atomic=true")
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert fault_codes(response) == {
        ("feedback[1].outcome", "invalid_outcome"),
        ("feedback[1].x", "unknown_field"),
        ("feedback[2]", "lead_not_found"),
    }
    assert not Feedback.objects.exists()
    assert post([good], "?atomic=true").json()["recorded"] == 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("feedback", "required")),
        ({"feedback": []}, ("feedback", "required")),
        ({"feedback": {"lead_id": "evt_1"}}, ("feedback", "invalid_type")),
        ({"feedback": [UNKNOWN, 5]}, ("feedback[1]", "invalid_type")),
        ({"feedback": [UNKNOWN] * 1001}, ("feedback", "too_long")),
        ({"feedback": [UNKNOWN], "flow": 1}, ("flow", "unknown_field")),
    ],
)
def test_a_body_that_is_no_batch(api, body, fault):
    response = api.post(body, suffix="/batch")
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert fault_codes(response) == {fault}


def test_atomic_is_true_or_false(post):
    assert fault_codes(post([UNKNOWN], "?atomic=yes")) == {("atomic", "invalid_choice")}
    assert post([UNKNOWN], "?atomic=false").status_code == 200


def test_a_body_over_four_mebibytes(api):
    body = json.dumps({"feedback": [UNKNOWN]}) + " " * (4 * 1024 * 1024)
    assert api.post(body=body, suffix="/batch").status_code == 413


def test_a_test_key_keeps_nothing(test_api, lead):
    rows = [{"lead_id": lead, "outcome": "contacted"}, UNKNOWN]
    answer = test_api.post({"feedback": rows}, suffix="/batch").json()
    assert [result["status"] for result in answer["results"]] == ["test", "rejected"]
    assert (answer["recorded"], answer["livemode"]) == (0, False)
    assert not Feedback.objects.exists()


def test_a_thousand_rows(post, lead):
    rows = [{"lead_id": lead, "notes": f"call {number}"} for number in range(1000)]
    answer = post(rows, idempotency_key="thousand").json()
    assert (answer["recorded"], answer["rejected"]) == (1000, 0)
    assert post(rows, idempotency_key="thousand")["Idempotent-Replayed"] == "true"
    assert Feedback.objects.count() == 1000
