"""A rule that suggests: a person approves or dismisses, once; what is no longer so is withdrawn."""

from __future__ import annotations

import html
import re
from decimal import Decimal

import pytest

from flows.models import Alert, Decision, Source, SourceBuyer, SuppressionEntry

SUGGEST = {"mode": "suggest"}


def words(answer) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def approve(client, decision, **data):
    """As a browser does: read the page, post its form."""
    page = client.get(f"/decisions/{decision.pk}/approve/")
    seen = re.search(r'name="seen" value="(\w+)"', page.content.decode())
    data = {**({"seen": seen[1]} if seen else {}), **data}
    return client.post(f"/decisions/{decision.pk}/approve/", data, follow=True)


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


@pytest.fixture
def suggestion(desk):
    desk.rule(**SUGGEST)
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    return decision


def test_a_suggestion_changes_nothing_and_tells_somebody(desk, suggestion):
    assert (suggestion.status, suggestion.after["status"]) == ("suggested", "paused")
    assert desk.stands()[0] == "active"
    alert = Alert.objects.get()
    assert (alert.title, alert.level) == (f"Suggested: {desk.source} paused", "warn")


def test_one_suggestion_waits_at_a_time_however_long(desk, suggestion):
    desk.later(days=10)
    desk.hear(10, quality_score=1)
    assert desk.decisions() == [suggestion]


def test_it_stands_first_on_the_page_and_can_be_answered_there(desk, suggestion, owner, world, as_user):
    desk.rule(action="step_cap", params={"percentage": -20, "min": 1, "max": 500})
    Source.objects.update(daily_cap=100)
    desk.later(hours=1)
    desk.hear(1, quality_score=1)
    page = owner.get("/decisions/")
    text = words(page)
    assert text.index("Suggested:") < text.index("cap 100 → 80")
    for verb in ("approve", "dismiss"):
        assert f"/decisions/{suggestion.pk}/{verb}/" in page.content.decode()
    assert f"/decisions/{suggestion.pk}/approve/" not in as_user(world.analyst).get("/decisions/").text
    assert "1–1 of 1" in words(owner.get("/decisions/?status=suggested"))


def test_approving_does_it_and_says_who(desk, suggestion, owner, world):
    desk.later(hours=3)
    assert f"Approved: {desk.source} paused" in words(approve(owner, suggestion))
    suggestion.refresh_from_db()
    assert (suggestion.status, suggestion.answered_by) == ("applied", world.owner)
    assert suggestion.answered_at == desk.now
    assert desk.stands()[0] == "paused"
    assert "approved" in words(owner.get(f"/decisions/{suggestion.pk}/"))


def test_what_was_approved_can_be_undone(desk, suggestion, owner):
    approve(owner, suggestion)
    owner.post(f"/decisions/{suggestion.pk}/undo/")
    desk.source.refresh_from_db()
    assert (desk.source.status, desk.source.status_reason) == ("active", "")


def test_a_suggestion_itself_cannot_be_undone(desk, suggestion, owner):
    assert "Nothing was done" in words(owner.post(f"/decisions/{suggestion.pk}/undo/", follow=True))
    suggestion.refresh_from_db()
    assert suggestion.status == "suggested"


def test_a_second_approval_says_that_it_is_done(desk, suggestion, owner):
    approve(owner, suggestion)
    Source.objects.update(status="active")
    page = owner.get(f"/decisions/{suggestion.pk}/approve/")
    assert "nothing to approve: it was approved by" in words(page)
    owner.post(f"/decisions/{suggestion.pk}/approve/")
    assert desk.stands()[0] == "active"


def test_dismissing_counts_as_a_cool_down(desk, suggestion, owner, world):
    desk.later(hours=30)
    assert f"Dismissed: {desk.source} paused" in words(
        owner.post(f"/decisions/{suggestion.pk}/dismiss/", follow=True)
    )
    suggestion.refresh_from_db()
    assert (suggestion.status, suggestion.answered_by) == ("dismissed", world.owner)
    desk.later(hours=23)
    desk.hear(1, quality_score=1)
    assert len(desk.decisions()) == 1
    desk.later(hours=2)
    desk.hear(1, quality_score=1)
    assert [each.status for each in desk.decisions()] == ["dismissed", "suggested"]


def test_what_was_dismissed_cannot_be_approved(desk, suggestion, owner):
    owner.post(f"/decisions/{suggestion.pk}/dismiss/")
    assert "it was dismissed by" in words(approve(owner, suggestion))
    assert desk.stands()[0] == "active"


def test_it_is_withdrawn_when_the_numbers_no_longer_bear_it_out(desk, suggestion, owner):
    desk.hear(40, quality_score=5)
    suggestion.refresh_from_db()
    assert (suggestion.status, suggestion.answered_by) == ("dismissed", None)
    number = "Average quality 4.2 (95 %: 3.7–4.7) on 50 scores"
    reason = f"{number} in the 30 days to 12 Nov is no longer below 3.0"
    assert suggestion.numbers["withdrawn"] == reason
    assert reason in words(owner.get("/decisions/"))
    assert "The suggestion was withdrawn" in words(owner.get(f"/decisions/{suggestion.pk}/"))
    assert f"it was withdrawn ({reason})" in words(approve(owner, suggestion))


def test_certainty_once_reached_stands_until_the_number_speaks_against_it(desk):
    desk.rule(**SUGGEST, evidence="confident", window_days=7)
    desk.hear(25, quality_score=1)
    for days in (7, 1):  # a new period begins, in which little is known
        desk.later(days=days)
        desk.hear(4, quality_score=1)
        assert [each.status for each in desk.decisions()] == ["suggested"]
    desk.hear(40, quality_score=5)
    assert [each.status for each in desk.decisions()] == ["dismissed"]


def test_with_each_buyer_one_suggestion_waits_per_pair(desk, owner):
    desk.rule(**SUGGEST, scope="source_buyer")
    second = desk.other_buyer()
    for buyer in (desk.buyer, second, second):
        desk.hear(10, buyer=buyer, quality_score=1)
        desk.later(hours=30)
    first, other = desk.decisions()
    assert (first.buyer, other.buyer) == (desk.buyer, second)
    approve(owner, other)
    assert [(pair.buyer, pair.status) for pair in SourceBuyer.objects.all()] == [(second, "paused")]


# --- When the source has changed since -------------------------------------------------------------


@pytest.fixture
def cap(desk):
    Source.objects.update(daily_cap=100)
    desk.rule(**SUGGEST, action="step_cap", params={"percentage": -20, "min": 1, "max": 500})
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    assert decision.after == {"daily_cap": 80}
    return decision


def test_what_it_would_do_now_is_shown_before_it_is_done(desk, cap, owner):
    Source.objects.update(daily_cap=50)
    page = owner.get(f"/decisions/{cap.pk}/approve/")
    assert "changed since it was suggested" in words(page)
    assert "Suggested was “100 a day” → “80 a day”" in words(page)
    assert "40 a day" in words(page)
    approve(owner, cap)
    cap.refresh_from_db()
    assert (cap.before, cap.after) == ({"daily_cap": 50}, {"daily_cap": 40})
    assert desk.stands()[1] == 40


def test_a_change_while_the_person_reads_is_asked_about_again(desk, cap, owner):
    page = owner.get(f"/decisions/{cap.pk}/approve/")
    seen = re.search(r'name="seen" value="(\w+)"', page.content.decode())[1]
    Source.objects.update(daily_cap=50)
    for data in ({"seen": seen}, {}):
        answer = owner.post(f"/decisions/{cap.pk}/approve/", data)
        assert answer.status_code == 409
        assert "40 a day" in words(answer)
        assert desk.stands()[1] == 50
    approve(owner, cap)
    assert desk.stands()[1] == 40


def test_nothing_left_to_do_is_said(desk, suggestion, owner):
    Source.objects.update(status="paused", status_reason="By hand")
    page = owner.get(f"/decisions/{suggestion.pk}/approve/")
    assert "There is nothing left to do" in words(page)
    answer = owner.post(f"/decisions/{suggestion.pk}/approve/")
    assert answer.status_code == 409
    suggestion.refresh_from_db()
    assert suggestion.status == "suggested"


def test_a_price_that_is_stored_with_more_zeros_has_not_changed(desk, owner):
    desk.rule(**SUGGEST, action="set_price_adjustment", params={"value": "0.80"})
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    assert "changed since" not in words(owner.get(f"/decisions/{decision.pk}/approve/"))
    approve(owner, decision)
    assert desk.stands()[2] == Decimal("0.8")


def test_a_list_that_is_gone_is_said(desk, owner):
    listed = desk.flow.seller.suppression_lists.create(name="Bad", slug="bad")
    desk.rule(**SUGGEST, action="suppress_source", params={"list": "bad"})
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    listed.delete()
    assert "no suppression list “bad”" in words(owner.get(f"/decisions/{decision.pk}/approve/"))
    assert "cannot be carried out" in words(
        owner.post(f"/decisions/{decision.pk}/approve/", {"seen": "x"}, follow=True)
    )


# --- Suggestions about leads ---------------------------------------------------------------------------


@pytest.fixture
def contact(desk):
    desk.flow.seller.suppression_lists.create(name="Returns", slug="returns")
    on = {"trigger": "feedback", "outcome": "returned"}
    desk.rule(**SUGGEST, **on, action="suppress_contact", params={"list": "returns"})
    rows = desk.hear(2, outcome="returned")
    return rows, desk.decisions()


def test_each_lead_has_its_own_suggestion_and_nobody_is_flooded(desk, contact, owner):
    rows, decisions = contact
    assert [each.delivery for each in decisions] == rows
    assert not Alert.objects.exists()
    assert not SuppressionEntry.objects.exists()
    assert words(owner.get("/decisions/")).count("Waiting") == 2
    approve(owner, decisions[0])
    entry = SuppressionEntry.objects.filter(kind="email").get()
    assert (entry.value, entry.decision) == (rows[0].lead.email_normalised, decisions[0])


def test_a_lead_that_no_longer_stands_so_takes_its_suggestion_with_it(desk, contact):
    rows, (first, second) = contact
    desk.later(minutes=1)
    desk.report(rows[:1], outcome="contacted")
    desk.recompute()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("dismissed", "suggested")
    assert first.numbers["withdrawn"] == f"{rows[0].public_id} no longer stands as returned"


def test_another_sellers_suggestion_does_not_exist(suggestion, other_world, as_user, world):
    for verb in ("", "approve/", "dismiss/"):
        assert as_user(other_world.owner).get(f"/decisions/{suggestion.pk}/{verb}").status_code == 404
    for verb in ("approve/", "dismiss/"):
        assert as_user(world.analyst).post(f"/decisions/{suggestion.pk}/{verb}").status_code == 403
    assert Decision.objects.get().status == "suggested"
