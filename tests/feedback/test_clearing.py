"""When a condition clears: what the rule did is taken back, once, if it still stands."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flows.models import Alert, Decision, Source, SourceBuyer, SuppressionEntry
from flows.sources import save_edited
from tests.feedback.test_suggestions import approve, words

REVERSE = {"on_clear": "reverse"}


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


@pytest.fixture
def paused(desk):
    """Paused on twenty scores of 1, a day ago; the leads that make it better are at hand."""
    desk.rule(**REVERSE, alert=True)
    rows = desk.hear(20, quality_score=1)
    desk.later(hours=25)
    return rows


def mend(desk, rows, score=4):
    """The same buyer thinks better of the same leads."""
    desk.report(rows, quality_score=score)
    desk.recompute()


def test_a_pause_is_lifted_with_its_reason_and_both_decisions_name_each_other(desk, paused, owner):
    mend(desk, paused)
    first, second = desk.decisions()
    assert (second.action, second.reverses) == ("resume_source", first)
    desk.source.refresh_from_db()
    assert desk.source.status == "active"
    assert desk.source.status_reason == (
        "Average quality 4.0 (95 %: 4.0–4.0) on 20 scores in the 30 days to 13 Nov is above 3.0 again, "
        "by 10 % of that or more"
    )
    assert Alert.objects.first().title == f"{desk.source} resumed"
    text = words(owner.get("/decisions/"))
    assert f"Reversed reversed {second.decided_at:%-d %b}" in text
    assert f"reverses {first.decided_at:%-d %b}" in text
    assert "whose condition has cleared" in words(owner.get(f"/decisions/{second.pk}/"))
    assert "the rule reversed it" in words(owner.get(f"/decisions/{first.pk}/"))


def test_better_than_the_threshold_is_not_yet_clear_of_it(desk, paused):
    mend(desk, paused, 3)
    assert len(desk.decisions()) == 1
    Source.objects.get(status="paused")


def test_too_few_numbers_clear_nothing(desk, paused):
    desk.report(paused, quality_score=None)
    desk.report(paused[:9], quality_score=5)
    desk.recompute()
    assert len(desk.decisions()) == 1


def test_it_waits_for_the_cool_down(desk):
    desk.rule(**REVERSE)
    rows = desk.hear(20, quality_score=1)
    desk.later(hours=23)
    mend(desk, rows)
    assert len(desk.decisions()) == 1
    desk.later(hours=1, minutes=1)
    mend(desk, rows, 5)
    assert len(desk.decisions()) == 2


def test_without_asking_for_it_nothing_is_reversed(desk):
    desk.rule()
    rows = desk.hear(20, quality_score=1)
    desk.later(hours=25)
    mend(desk, rows)
    assert len(desk.decisions()) == 1


def test_what_something_else_changed_is_left_and_told_once(desk, paused, owner):
    Source.objects.update(status_reason="Contract under review")
    mend(desk, paused)
    (decision,) = desk.decisions()
    desk.source.refresh_from_db()
    assert (desk.source.status, desk.source.status_reason) == ("paused", "Contract under review")
    told = Alert.objects.filter(title=f"Not reversed, as it was changed since: {desk.source} paused")
    assert told.count() == 1
    assert "It leaves that as it is" in told.get().body
    Source.objects.update(status_reason=decision.after["status_reason"])
    desk.later(hours=25)
    mend(desk, paused, 5)
    assert (told.count(), len(desk.decisions())) == (1, 1)
    assert "the rule left it as it was" in words(owner.get(f"/decisions/{decision.pk}/"))


def test_what_a_person_changed_and_changed_back_is_left_too(desk):
    """As an undo sees it: the value is the rule's again, but no longer the rule's doing."""
    Source.objects.update(daily_cap=100)
    desk.rule(**REVERSE, action="step_cap", params={"percentage": -20, "min": 1, "max": 1000})
    rows = desk.hear(20, quality_score=1)
    for cap in (90, 80):
        desk.source.refresh_from_db()
        desk.source.daily_cap = cap
        save_edited(desk.source, ["daily_cap"])
    desk.later(hours=25)
    mend(desk, rows)
    assert (desk.stands()[1], len(desk.decisions())) == (80, 1)
    told = Alert.objects.get(title__startswith="Not reversed").body
    assert "80 a day → 90 a day: somebody, by hand" in told


def test_what_a_person_undid_is_not_reversed(desk, paused, owner):
    (decision,) = desk.decisions()
    owner.post(f"/decisions/{decision.pk}/undo/")
    desk.later(hours=25)
    mend(desk, paused)
    assert desk.decisions() == [decision]


def test_who_undoes_a_reversal_is_not_contradicted(desk, paused, owner):
    mend(desk, paused)
    first, second = desk.decisions()
    assert f"/decisions/{first.pk}/undo/" not in owner.get("/decisions/").content.decode()
    owner.post(f"/decisions/{second.pk}/undo/")
    desk.source.refresh_from_db()
    assert (desk.source.status, desk.source.status_reason) == ("paused", first.after["status_reason"])
    desk.later(hours=25)
    mend(desk, paused, 5)
    assert len(desk.decisions()) == 2
    assert f"/decisions/{first.pk}/undo/" in owner.get("/decisions/").content.decode()


def test_a_reversed_decision_cannot_be_undone_beside_its_reversal(desk, paused, owner):
    mend(desk, paused)
    first, _ = desk.decisions()
    answer = owner.post(f"/decisions/{first.pk}/undo/", follow=True)
    assert "The rule has reversed it already" in words(answer)


def test_it_may_fire_and_clear_again(desk, paused):
    for score in (4, 1, 4):
        mend(desk, paused, score)
        desk.later(hours=25)
    assert [each.action for each in desk.decisions()] == ["pause_source", "resume_source"] * 2


def test_a_pair_is_resumed(desk):
    desk.rule(**REVERSE, scope="source_buyer")
    rows = desk.hear(20, quality_score=1)
    desk.later(hours=25)
    mend(desk, rows)
    first, second = desk.decisions()
    assert (second.buyer, second.reverses) == (desk.buyer, first)
    assert SourceBuyer.objects.get().status == "active"


def test_cap_steps_go_back_one_by_one(desk):
    Source.objects.update(daily_cap=100)
    desk.rule(
        **REVERSE, comparison="above", threshold=Decimal("4.5"), action="step_cap",
        params={"percentage": 20, "min": 1, "max": 1000},
    )  # fmt: skip
    rows, caps = desk.hear(20, quality_score=5), []
    for score in (5, 5, 3, 3, 3, 3):
        desk.later(hours=25)
        desk.report(rows, quality_score=score)
        desk.hear(1, quality_score=score)
        caps.append(desk.stands()[1])
    assert caps == [144, 173, 144, 120, 100, 100]


def test_a_price_goes_back_to_what_it_was(desk):
    Source.objects.update(price_adjustment=Decimal("0.95"))
    desk.rule(**REVERSE, action="set_price_adjustment", params={"value": "0.8"})
    rows = desk.hear(20, quality_score=1)
    assert desk.stands()[2] == Decimal("0.8")
    desk.later(hours=25)
    mend(desk, rows)
    assert desk.stands()[2] == Decimal("0.95")
    assert desk.decisions()[-1].action == "set_price_adjustment"


def test_a_source_comes_off_the_list_and_the_undo_puts_it_back(desk, owner):
    desk.flow.seller.suppression_lists.create(name="Bad Sources", slug="bad-sources")
    desk.rule(**REVERSE, action="suppress_source", params={"list": "bad-sources"})
    rows = desk.hear(20, quality_score=1)
    entry = SuppressionEntry.objects.get()
    desk.later(hours=25)
    mend(desk, rows)
    assert not SuppressionEntry.objects.exists()
    first, second = desk.decisions()
    assert f"{desk.source} taken off “Bad Sources”" in words(owner.get("/decisions/"))
    owner.post(f"/decisions/{second.pk}/undo/")
    again = SuppressionEntry.objects.get()
    assert (again.value, again.decision) == (entry.value, first)
    owner.post(f"/decisions/{first.pk}/undo/")
    assert not SuppressionEntry.objects.exists()


def test_a_source_that_a_person_took_off_the_list_is_left(desk):
    desk.flow.seller.suppression_lists.create(name="Bad Sources", slug="bad-sources")
    desk.rule(**REVERSE, action="suppress_source", params={"list": "bad-sources"})
    rows = desk.hear(20, quality_score=1)
    SuppressionEntry.objects.all().delete()
    desk.later(hours=25)
    mend(desk, rows)
    assert len(desk.decisions()) == 1
    assert Alert.objects.filter(title__startswith="Not reversed").count() == 1


def test_a_confident_rule_clears_on_the_bare_number(desk):
    desk.rule(**REVERSE, evidence="confident")
    rows = desk.hear(40, quality_score=1)
    desk.later(hours=25)
    mend(desk, rows, 4)
    assert [each.action for each in desk.decisions()] == ["pause_source", "resume_source"]


# --- Rules that suggest ------------------------------------------------------------------------------


@pytest.fixture
def asked(desk, owner):
    """A pause that was suggested and approved; its condition has cleared."""
    desk.rule(**REVERSE, mode="suggest")
    rows = desk.hear(20, quality_score=1)
    approve(owner, desk.decisions()[0])
    desk.later(hours=25)
    mend(desk, rows)
    return rows


def test_what_was_suggested_is_also_only_suggested_to_be_reversed(desk, asked, owner):
    first, second = desk.decisions()
    assert (second.status, second.reverses) == ("suggested", first)
    assert desk.stands()[0] == "paused"
    approve(owner, second)
    assert desk.stands()[0] == "active"


def test_a_reversal_that_is_no_longer_due_is_withdrawn_and_may_be_suggested_again(desk, asked):
    mend(desk, asked, 1)
    assert [each.status for each in desk.decisions()] == ["applied", "dismissed"]
    desk.later(hours=25)
    mend(desk, asked, 4)
    assert [each.status for each in desk.decisions()] == ["applied", "dismissed", "suggested"]


def test_a_reversal_of_what_was_changed_meanwhile_is_refused_in_words(desk, asked, owner):
    Source.objects.update(status_reason="By hand")
    reversal = desk.decisions()[-1]
    assert "There is nothing left to do" in words(owner.get(f"/decisions/{reversal.pk}/approve/"))
    assert owner.post(f"/decisions/{reversal.pk}/approve/").status_code == 409
    assert Decision.objects.get(pk=reversal.pk).status == "suggested"
