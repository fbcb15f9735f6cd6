"""The pipeline for a list: what is recorded, what is refused, and that lists cost no more queries."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils.timezone import now

from feedback.intake import intake
from feedback.models import ChangeSet, Door, Feedback, StaleMark
from feedback.present import state_json
from feedback.submission import Origin, Submission
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def origin(world):
    return Origin(actor=world.actor(world.agent), door=Door.PORTAL, request_id="req_1")


@pytest.fixture
def send(world, origin):
    def _send(*payloads, **options):
        submissions = [Submission(i, payload) for i, payload in enumerate(payloads)]
        return intake(world.flow, submissions, origin, **options)

    return _send


def test_feedback_becomes_event_state_and_mark(world, send):
    payload = {"lead_id": world.delivery.public_id, "outcome": "converted", "revenue": 1500}
    (receipt,) = send(payload)

    assert receipt.status == "recorded" and receipt.applied
    event = Feedback.objects.get()
    assert event.public_id == receipt.feedback_id
    assert event.values == {"outcome": "converted", "revenue": "1500.00"}
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == "converted"
    assert world.delivery.conversion_status == "sold"
    assert world.delivery.revenue == Decimal("1500.00")
    assert world.delivery.converted_at == event.occurred_at
    assert world.delivery.version == world.delivery.feedback_count == 1
    assert StaleMark.objects.get().day == world.delivery.delivered_on
    change = ChangeSet.objects.get()
    assert (change.buyer, change.user, change.request_id) == (world.buyer, world.agent, "req_1")
    assert state_json(receipt.delivery, world.flow)["fields"]["sale_amount"] == "1500.00"
