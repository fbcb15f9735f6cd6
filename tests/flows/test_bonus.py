"""A bonus: granted once a decision, listed, voided and never deleted."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from flows.models import Alert, Bonus, Flow
from tests.feedback.ruled import ruled
from tests.feedback.test_suggestions import words

GOOD = {"comparison": "above", "threshold": Decimal("4.5"), "action": "bonus", "params": {"amount": "50"}}


@pytest.fixture
def desk(world):
    yield from ruled(world)


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


def test_a_good_source_gets_its_bonus_once_a_cool_down(desk, owner):
    desk.rule(**GOOD, alert=True)
    for hours in (0, 23, 2):
        desk.later(hours=hours)
        desk.hear(10, quality_score=5)
    assert [(each.source, each.delivery, each.amount) for each in Bonus.objects.all()] == [
        (desk.source, None, Decimal(50))
    ] * 2
    assert Alert.objects.first().title == f"{desk.source}: bonus of 50.00 USD"
    assert "bonus of 50.00 USD" in words(owner.get("/decisions/"))


def test_each_lead_that_converts_gets_one_whatever_is_said_of_it_later(desk, owner):
    desk.rule(**{**GOOD, "trigger": "feedback", "outcome": "converted"})
    rows = desk.hear(3, outcome="converted")
    desk.later(hours=1)
    desk.report(rows, revenue=100)
    desk.recompute()
    assert sorted(each.delivery_id for each in Bonus.objects.all()) == [row.pk for row in rows]
    text = words(owner.get("/decisions/?about=contacts"))
    assert f"bonus of 50.00 USD for {rows[0].public_id}" in text


def test_undoing_voids_it(desk, owner):
    desk.rule(**GOOD)
    desk.hear(10, quality_score=5)
    (decision,) = desk.decisions()
    desk.later(hours=1)
    owner.post(f"/decisions/{decision.pk}/undo/")
    bonus = Bonus.objects.get()
    assert (bonus.voided_at, bonus.amount) == (desk.now, Decimal(50))


@pytest.mark.parametrize("change", [{"amount": Decimal(70)}, {"voided_at": "2025-11-12T12:00:00Z"}])
def test_a_bonus_that_was_changed_since_is_asked_about(desk, owner, change):
    desk.rule(**GOOD)
    desk.hear(10, quality_score=5)
    (decision,) = desk.decisions()
    Bonus.objects.update(**change)
    answer = owner.post(f"/decisions/{decision.pk}/undo/")
    assert answer.status_code == 409
    assert ("bonus of 70.00 USD" if "amount" in change else "no bonus") in words(answer)
    owner.post(f"/decisions/{decision.pk}/undo/", {"force": "1"})
    assert Bonus.objects.get().voided_at is not None


def test_an_amount_has_the_decimals_of_the_currency(desk):
    Flow.objects.update(currency="JPY")
    desk.flow.refresh_from_db()
    desk.rule(**{**GOOD, "params": {"amount": "5000"}})
    with pytest.raises(ValidationError, match="JPY has no decimals"):
        desk.rule(**{**GOOD, "params": {"amount": "0.50"}})
    desk.hear(10, quality_score=5)
    assert desk.decisions()[0].after == {"bonus": "5000", "currency": "JPY"}


def test_a_bonus_is_for_a_source_not_for_a_pair(desk):
    with pytest.raises(ValidationError, match="no cap, price or list of its own"):
        desk.rule(**GOOD, scope="source_buyer")
