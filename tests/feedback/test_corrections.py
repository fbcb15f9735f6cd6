"""Single events taken back, restored and put right on the lead's page, each as new events."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from feedback import quality, stale
from feedback.history import STATE_COLUMNS
from feedback.intake import intake
from feedback.models import Door, Feedback, SourceDay
from feedback.submission import Origin, Submission
from feedback.verify import verify
from flows.models import Delivery, Field
from tests import factories as make

SENT = timezone.now().replace(microsecond=0) - dt.timedelta(hours=9)


@pytest.fixture
def client(world, as_user):
    return as_user(world.manager)


@pytest.fixture
def tell(world):
    """``tell(outcome=…)`` → the event by the API; ``minute`` gives it a timestamp."""

    def one(*, minute: int | None = None, status: str = "recorded", **said) -> Feedback:
        if minute is not None:
            said["feedback_timestamp"] = (SENT + dt.timedelta(minutes=minute)).isoformat()
        origin = Origin(world.actor(world.agent), Door.API)
        row = {"lead_id": world.delivery.public_id, **said}
        (receipt,) = intake(world.flow, [Submission(0, row)], origin)
        assert receipt.status == status, receipt
        return Feedback.objects.get(public_id=receipt.feedback_id)

    return one


@pytest.fixture
def do(client, world):
    """``do("take-back", event)``: what the form of that page sends → the answer."""

    def send(deed: str, event: Feedback, *, version: int | None = None, follow: bool = True, **typed):
        now = fresh(world).version if version is None else version
        return client.post(address(deed, event), {"version": now, **typed}, follow=follow)

    return send


def address(deed: str, event: Feedback) -> str:
    return reverse(f"feedback-{deed}", args=[event.delivery.public_id, event.public_id])


def fresh(world) -> Delivery:
    return Delivery.objects.get(pk=world.delivery.pk)


def state_of(world) -> dict:
    return {name: getattr(fresh(world), name) for name in STATE_COLUMNS}


def history(client, world) -> str:
    page = client.get(reverse("lead-detail", args=[world.delivery.public_id])).content.decode()
    return re.sub(r"\s+", " ", page.split('id="history"')[1])


def assert_sound() -> None:
    while quality.recompute():
        pass
    assert [fault for finding in verify() for fault in finding.faults] == []


# --- Taking back -------------------------------------------------------------------------------------
def test_the_page_shows_before_and_after_and_then_takes_it_back(client, world, tell, do):
    stale.mark([world.delivery])
    tell(outcome="contacted", minute=1)
    before = state_of(world)
    wrong = tell(outcome="converted", revenue="9999", minute=2)
    question = client.get(address("take-back", wrong)).content.decode()
    words = re.sub(r"<[^>]+>|\s+", " ", question)
    assert re.search(r"Outcome: +Converted +→ +to +Contacted", words)
    assert re.search(r"Revenue: +9,999.00 USD +→ +to +–", words)
    assert re.search(r"Conversion status: +Sold +→ +to +Pending", words)
    assert state_of(world)["outcome"] == "converted"
    done = do("take-back", wrong)
    assert "Taken back" in done.content.decode()
    assert state_of(world) == before
    gone = Feedback.objects.get(retracts=wrong)
    assert (gone.change_set.user, gone.change_set.door) == (world.manager, "portal")
    assert "Took back the feedback of" in history(client, world)
    assert_sound()
    assert (SourceDay.objects.get().revenue, SourceDay.objects.get().converted) == (0, 0)


def test_what_no_longer_matters_is_taken_back_without_a_change(client, tell, do):
    old = tell(outcome="contacted", minute=1)
    tell(outcome="converted", minute=2)
    assert "Nothing changes on the lead" in client.get(address("take-back", old)).content.decode()
    assert do("take-back", old).status_code == 200


def test_it_is_restored_and_taken_back_again_and_again(client, world, tell, do):
    said = tell(outcome="converted", revenue="10.10")
    standing = state_of(world)
    for _ in range(3):
        do("take-back", said)
        assert fresh(world).feedback_count == 0
        assert "Restore" in history(client, world)
        question = client.get(address("restore", said)).content.decode()
        assert "What the lead becomes" in question
        do("restore", said)
        assert state_of(world) == standing
    assert Feedback.objects.count() == 7
    words = history(client, world)
    assert (words.count("Took back the feedback of"), words.count("Restored the feedback of")) == (3, 3)
    assert_sound()


def test_what_is_done_already_says_so(client, world, tell, do):
    said = tell(outcome="converted")
    assert "nothing to restore" in client.get(address("restore", said)).content.decode()
    assert do("restore", said).status_code == 409
    do("take-back", said)
    assert "nothing left to take back" in client.get(address("take-back", said)).content.decode()
    answer = do("take-back", said)
    assert answer.status_code == 409
    assert "taken back already" in answer.content.decode()
    assert Feedback.objects.count() == 2


def test_a_stale_tab_takes_nothing_back_and_shows_what_stands_now(client, world, tell, do):
    wrong = tell(outcome="converted", minute=1)
    tell(revenue="12", minute=2)
    answer = do("take-back", wrong, version=1)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody else has changed this lead" in page
    assert 'name="version" value="2"' in page
    assert fresh(world).outcome == "converted"
    assert do("take-back", wrong, version=2).status_code == 200


def test_after_the_window_a_mistake_can_be_taken_back_but_not_corrected(client, world, tell, do):
    said = tell(outcome="converted")
    Delivery.objects.update(delivered_at=timezone.now() - dt.timedelta(days=100))
    words = history(client, world)
    assert "Take back" in words
    assert address("correct", said) not in words
    assert "can still be taken back" in client.get(address("correct", said)).content.decode()
    refused = do("correct", said, outcome="contacted")
    assert (refused.status_code, fresh(world).outcome) == (422, "converted")
    assert "can always be mended" in client.get(address("take-back", said)).content.decode()
    assert do("take-back", said).status_code == 200
    assert fresh(world).outcome is None


def test_a_flow_that_takes_no_feedback_takes_nothing_back(client, world, tell, do):
    said = tell(outcome="converted")
    world.flow.feedback_enabled = False
    world.flow.save()
    assert "Take back" not in history(client, world)
    for deed in ("take-back", "restore", "correct"):
        assert do(deed, said, outcome="contacted").status_code == 403
    assert fresh(world).outcome == "converted"


def test_a_retraction_has_no_page_of_its_own_nor_has_another_leads_event(client, world, tell, do):
    said = tell(outcome="converted")
    do("take-back", said)
    gone = Feedback.objects.get(retracts=said)
    other = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    for deed in ("take-back", "restore", "correct"):
        assert client.get(address(deed, gone)).status_code == 404
        elsewhere = reverse(f"feedback-{deed}", args=[other.public_id, said.public_id])
        assert client.get(elsewhere).status_code == 404


# --- Correcting --------------------------------------------------------------------------------------
def test_a_correction_is_a_retraction_and_a_new_event_in_one_change_set(client, world, tell, do):
    wrong = tell(outcome="converted", revenue="1500", minute=3)
    form = client.get(address("correct", wrong)).content.decode()
    assert 'value="1500.00"' in form
    assert '<option value="converted" selected>' in form
    assert "feedback_timestamp" not in form
    done = do("correct", wrong, outcome="converted", revenue="150.05")
    assert "Corrected." in done.content.decode()
    gone, new = Feedback.objects.exclude(pk=wrong.pk).order_by("pk")
    assert (gone.retracts, gone.values) == (wrong, {})
    assert (new.values, new.occurred_at) == ({"outcome": "converted", "revenue": "150.05"}, wrong.occurred_at)
    assert gone.change_set == new.change_set
    assert (new.change_set.user, new.change_set.door) == (world.manager, "portal")
    assert (fresh(world).revenue, fresh(world).feedback_count) == (Decimal("150.05"), 1)
    words = history(client, world)
    assert "Corrected the feedback of" in words
    assert "Corrected since:" in words
    assert "Took back" not in words  # one entry says both
    assert re.search(r"1,500.00 USD</span>.{0,90}<strong>150.05 USD", words)
    assert_sound()


def test_a_correction_falls_into_the_place_of_what_it_corrects(world, tell, do):
    old = tell(outcome="contacted", quality_score=4, minute=1)
    tell(outcome="returned", minute=2)
    do("correct", old, outcome="converted", quality_score="2")
    assert (fresh(world).outcome, fresh(world).quality_score) == ("returned", 2)


def test_an_emptied_field_is_left_out_so_that_what_stood_before_counts(world, tell, do):
    tell(revenue="10", minute=1)
    wrong = tell(outcome="converted", revenue="99", minute=2)
    do("correct", wrong, outcome="converted", revenue="")
    assert Feedback.objects.latest("pk").values == {"outcome": "converted"}
    assert fresh(world).revenue == 10


def test_a_field_that_was_cleared_stays_cleared_until_it_is_filled(client, world, tell, do):
    tell(revenue="10", minute=1)
    cleared = tell(outcome="contacted", revenue=None, minute=2)
    assert "This feedback cleared it." in client.get(address("correct", cleared)).content.decode()
    do("correct", cleared, outcome="converted", revenue="")
    assert Feedback.objects.latest("pk").values == {"outcome": "converted", "revenue": None}
    do("correct", Feedback.objects.latest("pk"), outcome="converted", revenue="5")
    assert fresh(world).revenue == 5


def test_of_an_emptied_feedback_nothing_is_left(world, tell, do):
    said = tell(outcome="contacted")
    answer = do("correct", said, outcome="")
    assert answer.status_code == 422
    assert "take the feedback back instead" in answer.content.decode()
    assert Feedback.objects.count() == 1


def test_a_fault_stands_beside_its_field_and_what_was_typed_is_kept(tell, do):
    said = tell(outcome="contacted", revenue="1")
    answer = do("correct", said, outcome="contacted", revenue="lots")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Write an amount, such as 1500.00." in page
    assert 'value="lots"' in page
    assert Feedback.objects.count() == 1


@pytest.mark.parametrize("typed", [{}, {"revenue": "1,500"}, {"revenue": "1500.0", "notes": "  "}])
def test_a_correction_that_changes_nothing_records_nothing(tell, do, typed):
    said = tell(outcome="converted", revenue="1500")
    assert "Nothing was changed." in do("correct", said, **typed).content.decode()
    assert Feedback.objects.count() == 1


def test_a_stale_tab_corrects_nothing_and_keeps_what_was_typed(world, tell, do):
    said = tell(outcome="converted", revenue="5", minute=1)
    tell(notes="Later", minute=2)
    answer = do("correct", said, version=1, outcome="converted", revenue="7")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody else has changed this lead" in page
    assert 'value="7"' in page
    assert fresh(world).revenue == 5
    assert do("correct", said, version=2, outcome="converted", revenue="7").status_code == 200
    assert fresh(world).revenue == 7


def test_what_was_corrected_cannot_be_corrected_twice(client, tell, do):
    said = tell(outcome="converted", revenue="5")
    do("correct", said, outcome="converted", revenue="7")
    assert "Restore it first" in client.get(address("correct", said)).content.decode()
    assert do("correct", said, outcome="contacted").status_code == 409
    assert Feedback.objects.count() == 3


def test_back_to_what_was_said_at_first(world, tell, do):
    first = tell(outcome="converted", revenue="5", minute=1)
    do("correct", first, outcome="converted", revenue="7")
    do("correct", Feedback.objects.latest("pk"), outcome="converted", revenue="5")
    assert (fresh(world).revenue, fresh(world).feedback_count) == (5, 1)
    assert Feedback.objects.latest("pk").values == first.values
    assert_sound()


def test_restoring_what_was_corrected_takes_back_the_correction(client, world, tell, do):
    first = tell(outcome="converted", revenue="5", minute=1)
    before = state_of(world)
    do("correct", first, outcome="converted", revenue="7")
    do("correct", Feedback.objects.latest("pk"), outcome="converted", revenue="8")
    last = Feedback.objects.latest("pk")
    question = client.get(address("restore", first)).content.decode()
    assert last.public_id in question
    do("restore", first)
    assert state_of(world) == before
    words = history(client, world)
    assert "Restored the feedback of" in words
    assert_sound()


def test_two_that_say_the_same_of_one_time_are_one(world, tell, do):
    wrong = tell(outcome="contacted", minute=1)
    tell(outcome="converted", minute=1)
    do("correct", wrong, outcome="converted")
    assert (fresh(world).feedback_count, Feedback.objects.count()) == (1, 3)
    assert_sound()


def test_the_same_file_again_does_not_undo_a_correction(world, tell, do):
    said = {"outcome": "converted", "revenue": "5", "minute": 1}
    first = tell(**said)
    do("correct", first, outcome="converted", revenue="7")
    assert tell(**said, status="unchanged") == first
    assert fresh(world).revenue == 7
    do("take-back", Feedback.objects.latest("pk"))
    tell(**said)  # nothing counts in its place any more
    assert fresh(world).revenue == 5


def test_a_field_that_the_flow_has_no_more_keeps_what_was_said(world, tell, do):
    said = tell(outcome="contacted", notes="Call back")
    world.flow.fields.get(name="notes").delete()
    do("correct", said, outcome="converted")
    assert Feedback.objects.latest("pk").values == {"outcome": "converted", "notes": "Call back"}


def test_every_kind_of_value_survives_the_correction_of_another(world, tell, do):
    Field.objects.create(flow=world.flow, name="calls", kind="integer", position=20)
    Field.objects.create(flow=world.flow, name="met", kind="date", position=21)
    said = tell(
        converted=True,
        quality_score=3,
        revenue="1234.50",
        contacted_date=SENT.isoformat(),
        issues=["Wrong, number", "late"],
        product_details={"size": 8.5, "deep": {"x": [1, None]}},
        notes="one\ntwo",
        calls=3,
        met="2026-01-20",
    )
    do("correct", said, revenue="20")
    assert Feedback.objects.latest("pk").values == {**said.values, "revenue": "20.00"}


def test_when_it_first_came_in_is_told_by_what_counts(world, tell, do):
    first = tell(outcome="contacted", minute=1)
    second = tell(revenue="5", minute=2)
    assert fresh(world).first_feedback_at == first.received_at
    do("take-back", first)
    assert fresh(world).first_feedback_at == second.received_at
    do("restore", first)
    assert fresh(world).first_feedback_at == first.received_at
    do("correct", first, outcome="converted")  # a better word, and not a later one
    assert fresh(world).first_feedback_at == first.received_at
    assert_sound()


def test_the_api_tells_what_was_taken_back_and_what_corrects_what(world, tell, do, api):
    first = tell(outcome="converted", revenue="5", minute=1)
    do("correct", first, outcome="converted", revenue="7")
    gone, new = Feedback.objects.exclude(pk=first.pk).order_by("pk")
    url = f"/flows/{world.flow.public_id}/leads/{world.delivery.public_id}/feedback"
    told = api.client.get(url, headers={"X-API-Key": api.key}).json()["feedback"]
    found = [(each["feedback_id"], each["retracts"], each["corrects"], each["retracted"]) for each in told]
    assert found == [
        (first.public_id, None, None, True),
        (new.public_id, None, first.public_id, False),
        (gone.public_id, first.public_id, None, False),
    ]


def test_the_number_of_queries_does_not_grow_with_the_history(
    client, world, tell, do, django_assert_max_num_queries
):
    for number in range(15):
        do("correct", tell(notes=f"Note {number}"), notes=f"Better {number}")
    last = Feedback.objects.latest("pk")
    with django_assert_max_num_queries(12):
        client.get(address("take-back", last))
    with django_assert_max_num_queries(24):
        do("take-back", last, version=fresh(world).version, follow=False)


def test_a_correction_to_what_has_been_said_and_corrected_since_is_said_anew(world, tell, do):
    """What counts no more is no reason to leave out what a person says now."""
    first = tell(minute=0, outcome="contacted")
    other = tell(minute=0, outcome="contacted", notes="Other")
    do("correct", first, outcome="no_contact")
    middle = Feedback.objects.latest("pk")
    do("correct", middle, outcome="bad_info")
    do("correct", other, outcome="no_contact", notes="")
    assert fresh(world).outcome == "no_contact"
    assert fresh(world).feedback_count == 2
    assert_sound()
