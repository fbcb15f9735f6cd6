"""What happened to a delivery, as its buyer reads it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from feedback.desk import Desk, Sheet
from feedback.intake import intake
from feedback.lead_history import SHOWN, changes_since, entries, texts_at
from feedback.models import Door
from feedback.submission import Origin, Submission
from flows import keys


@pytest.fixture
def tell(world):
    """``tell(outcome="converted", hours_ago=2)``: feedback through the portal, or by another door."""

    def one(*, hours_ago: float | None = None, by: Origin | None = None, **values):
        if hours_ago is not None:
            values["feedback_timestamp"] = (timezone.now() - dt.timedelta(hours=hours_ago)).isoformat()
        origin = by or Origin(world.actor(world.agent), Door.PORTAL, request_id="req_portal")
        (receipt,) = intake(
            world.flow, [Submission(0, {"lead_id": world.delivery.public_id, **values})], origin
        )
        assert receipt.problem is None, receipt.problem
        return receipt

    return one


@pytest.fixture
def sheet(world):
    def now() -> Sheet:
        world.delivery.refresh_from_db()
        return Sheet.of(world.delivery, Desk(world.actor(world.agent)))

    return now


def changes(entry) -> list[tuple[str, str, str]]:
    return [(change.label, change.before, change.after) for change in entry.changes]


def test_each_event_says_what_changed_from_what_to_what(tell, sheet):
    tell(outcome="contacted")
    tell(outcome="converted", revenue="1500")
    latest, first = entries(sheet())
    assert changes(first) == [("Outcome", "–", "Contacted")]
    assert changes(latest) == [
        ("Outcome", "Contacted", "Converted"),
        ("Revenue", "–", "1,500.00 USD"),
        ("Conversion status", "Pending", "Sold"),
    ]


def test_late_news_changes_nothing_and_says_so(tell, sheet):
    tell(outcome="converted", hours_ago=1)
    tell(outcome="contacted", hours_ago=5)
    late, first = entries(sheet())
    assert late.late
    assert changes(late) == []
    assert late.said == (("Outcome", "Contacted"),)
    assert not first.late


def test_late_news_on_a_field_that_nobody_had_named_is_applied(tell, sheet):
    tell(outcome="converted", hours_ago=1)
    tell(outcome="contacted", quality_score=4, hours_ago=5)
    late, _ = entries(sheet())
    assert not late.late
    assert changes(late) == [("Quality score", "–", "4")]


def test_an_event_says_what_it_changed_when_it_came_not_what_later_ones_left_of_it(tell, sheet):
    tell(outcome="contacted", hours_ago=5)
    tell(outcome="converted", hours_ago=1)
    assert changes(entries(sheet())[1]) == [("Outcome", "–", "Contacted")]


def test_clearing_is_a_change(tell, sheet):
    tell(notes="Call back")
    tell(notes=None)
    assert changes(entries(sheet())[0]) == [("Notes", "Call back", "–")]


def test_a_field_that_the_flow_has_no_more_keeps_its_place(tell, sheet, world):
    tell(notes="Call back")
    world.flow.fields.get(name="notes").delete()
    assert changes(entries(sheet())[0]) == [("Notes", "–", "Call back")]


def test_the_page_says_who_by_which_door_when_and_which_request(tell, world, as_user):
    world.agent.first_name, world.agent.last_name = "Dana", "Ortiz"
    world.agent.save()
    key = keys.issue(name="Our CRM", buyer=world.buyer)[0]
    actor = world.actor(world.agent)
    by_key = Origin(
        type(actor)("buyer", party_id=world.buyer.pk, key_id=key.pk), Door.API, request_id="req_api"
    )
    tell(outcome="contacted", by=by_key)
    receipt = tell(outcome="converted")
    page = as_user(world.manager).get(f"/leads/{world.delivery.public_id}/").content.decode()
    for words in (
        "Dana Ortiz",
        "Our CRM",
        "through the API",
        "in the portal",
        "req_api",
        "req_portal",
        receipt.feedback_id,
    ):
        assert words in page


def test_the_form_as_it_was_at_a_version_and_what_changed_since(tell, sheet):
    tell(outcome="contacted", revenue="5")
    tell(outcome="converted")
    assert texts_at(sheet(), 1) == {"outcome": "contacted", "revenue": "5.00"}
    assert texts_at(sheet(), 0) == {}
    assert [change.label for change in changes_since(sheet(), 1)] == ["Outcome", "Conversion status"]
    assert changes_since(sheet(), 2) == ()


def test_a_long_history_is_cut_and_takes_no_more_queries(
    tell, sheet, world, as_user, django_assert_max_num_queries
):
    for number in range(SHOWN + 5):
        tell(notes=f"Note {number}")
    now = sheet()
    shown = entries(now)
    assert len(shown) == SHOWN
    assert changes(shown[0]) == [("Notes", f"Note {SHOWN + 3}", f"Note {SHOWN + 4}")]
    client = as_user(world.agent)
    client.get(f"/leads/{world.delivery.public_id}/")
    with django_assert_max_num_queries(12):
        client.get(f"/leads/{world.delivery.public_id}/")
