"""Rules that put entries on a list beside people, files and programs: what they lengthen, and what an undo
puts back."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.utils.timezone import now

from flows import actions, decisions
from flows.actions.base import CannotUndo, Changed, Target
from flows.models import Decision, Rule, SuppressionEntry, SuppressionList
from flows.suppression import add_all, expire, remove_all
from tests import factories as make
from tests.flows.test_decisions import decide

DAY = dt.timedelta(days=1)
COLUMNS = ("kind", "value", "expires_at", "origin", "reason", "added_at", "decision")


@pytest.fixture
def returns(world) -> SuppressionList:
    return SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")


@pytest.fixture
def email(world) -> tuple[str, str]:
    return "email", world.delivery.lead.email_normalised


@pytest.fixture
def shorter(returns, email) -> SuppressionEntry:
    """What a person had put there for five days, a day ago."""
    return SuppressionEntry.objects.create(
        list=returns,
        kind=email[0],
        value=email[1],
        origin="person",
        reason="Asked us to wait",
        added_at=now() - DAY,
        expires_at=now() + 5 * DAY,
    )


def suppress(world, days: int | None = 30, name="suppress_contact", **more) -> list[Decision]:
    params = {"list": "returns", **({"expires_days": days} if days else {})}
    delivery = world.delivery if name == "suppress_contact" else None
    return decide(world, name, params, **{"delivery": delivery, **more})


def rows(listed) -> set[tuple]:
    return set(listed.entries.values_list(*COLUMNS))


def stands(listed, value) -> tuple:
    kind, text = value
    return listed.entries.values_list("origin", "expires_at").get(kind=kind, value=text)


def undo(world, decision, **more) -> Decision:
    return decisions.undo(decision, user=world.owner, **more)


def what_stands(world, decision) -> str:
    """The words of the refusal to undo."""
    from flows.wording import state_words

    with pytest.raises(Changed) as changed:
        undo(world, decision)
    return state_words(changed.value.stands)


# --- What a rule lengthens ------------------------------------------------------------------------------


def test_an_entry_that_ends_sooner_is_lengthened(world, returns, shorter, email):
    (decision,) = suppress(world)
    assert decision.after["added"] == ["email", "phone"]
    entry = returns.entries.get(kind="email")
    assert entry.expires_at - decision.decided_at == 30 * DAY
    assert (entry.origin, entry.decision, entry.reason) == ("rule", decision, "suppress_contact")
    assert dt.datetime.fromisoformat(decision.before["stood"]["email"]["expires_at"]) == shorter.expires_at
    assert email[1] not in json.dumps([decision.before, decision.after, decision.numbers])


def test_a_value_in_the_reason_is_not_noted_either(world, returns, shorter, email):
    returns.entries.update(reason=f"{email[1]} asked us")
    (decision,) = suppress(world)
    assert email[1] not in json.dumps([decision.before, decision.after, decision.numbers])


@pytest.mark.parametrize("until", [None, 31 * DAY, 30 * DAY])
def test_what_lasts_as_long_is_left(world, returns, email, until):
    phone = ("phone", world.delivery.lead.phone_e164)
    add_all(returns, [email, phone], origin="api", expires_at=until and now() + until)
    before = rows(returns)
    assert not suppress(world)
    assert rows(returns) == before


def test_for_good_is_longer_than_any_day(world, returns, shorter):
    suppress(world, days=None)
    assert set(returns.entries.values_list("expires_at", flat=True)) == {None}


def test_what_has_expired_begins_anew(world, returns, shorter):
    returns.entries.update(expires_at=now() - DAY)
    (decision,) = suppress(world)
    assert decision.before == {}
    assert returns.entries.get(kind="email").expires_at > now() + 29 * DAY
    undo(world, decision)
    assert not returns.entries.exists()


def test_the_same_contact_returned_again_later_is_kept_off_for_longer(world, returns):
    at = now()
    (first,) = suppress(world, at=at - 20 * DAY)
    again = make.DeliveryFactory(lead=world.delivery.lead, buyer=make.BuyerFactory(seller=world.seller))
    (second,) = suppress(world, delivery=again, evaluation="2", at=at)
    assert set(returns.entries.values_list("decision", "expires_at")) == {(second.pk, at + 30 * DAY)}
    undo(world, second)
    assert set(returns.entries.values_list("decision", "expires_at")) == {(first.pk, at + 10 * DAY)}
    undo(world, first)
    assert not returns.entries.exists()


def test_a_rule_does_not_put_a_source_on_its_list_every_day(world, returns):
    """While it is there no leads come, and nothing about it changes."""
    (decision,) = suppress(world, name="suppress_source", at=now() - 2 * DAY)
    act, target = actions.get("suppress_source"), Target(world.source, "2", "Still bad")

    def planned(days):
        return act.plan(decision.rule, [target], {"list": "returns", "expires_days": days})

    assert planned(30) == planned(90) == [None]
    SuppressionEntry.objects.update(decision=None, origin="person")
    assert [change.after["added"] for change in planned(30)] == [["source"]]


def test_planning_looks_at_the_list_once_however_many_there_are(world, returns, django_assert_num_queries):
    act = actions.get("suppress_contact")
    leads = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(20)]
    values = [("email", row.lead.email_normalised) for row in leads]
    add_all(returns, values, origin="person", expires_at=now() + DAY)
    targets = [Target(world.source, f"delivery:{row.pk}", "", delivery=row) for row in leads]
    with django_assert_num_queries(2):
        planned = act.plan(Rule(flow=world.flow), targets, {"list": "returns"})
    assert all("email" in change.before["stood"] and "email" in change.after["added"] for change in planned)


def test_the_page_says_what_stood_and_for_how_long(world, returns, shorter, as_user):
    (decision,) = suppress(world)
    page = as_user(world.owner).get(f"/decisions/{decision.pk}/").text
    assert "on “Returns”, e-mail by hand until" in page
    assert "on “Returns”, e-mail and phone for 30 days" in page


# --- Undoing --------------------------------------------------------------------------------------------


def test_undo_puts_the_shorter_entry_back_as_it_was(world, returns, shorter):
    before = rows(returns)
    (decision,) = suppress(world)
    undo(world, decision)
    assert rows(returns) == before


def lengthen(returns, email):
    add_all(returns, [email], origin="api", expires_at=now() + 90 * DAY)


def make_permanent(returns, email):
    add_all(returns, [email], origin="person", reason="Lawyer's letter")


def take_over(returns, email):
    """Added by hand until the same moment: the time stays, the entry is theirs."""
    until = returns.entries.get(kind="email").expires_at
    add_all(returns, [email], origin="file", expires_at=until)


def shorten(returns, email):
    remove_all(returns, [email])
    add_all(returns, [email], origin="person", expires_at=now() + DAY)


def end(returns, email):
    expire(returns.entries.filter(kind="email"))


def remove(returns, email):
    remove_all(returns, [email])


CHANGES = [
    (lengthen, "phone for 30 days; e-mail by the API until"),
    (make_permanent, "phone for 30 days; e-mail by hand for good"),
    (take_over, "phone for 30 days; e-mail from a file until"),
    (shorten, "phone for 30 days; e-mail by hand until"),
    (end, "on “Returns”, phone for 30 days"),
    (remove, "on “Returns”, phone for 30 days"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
@pytest.mark.parametrize("stood", [True, False], ids=["shorter", "nothing"])
def test_what_somebody_changed_is_said_and_put_back_only_by_who_insists(
    world, returns, email, request, change, said, stood
):
    if stood:
        request.getfixturevalue("shorter")
    before = rows(returns)
    (decision,) = suppress(world)
    change(returns, email)
    since = rows(returns)
    assert said in what_stands(world, decision)
    assert rows(returns) == since
    undo(world, decision, force=True)
    assert rows(returns) == before


def test_the_page_asks_and_does_it_when_told(world, returns, shorter, email, as_user):
    (decision,) = suppress(world)
    make_permanent(returns, email)
    owner, address = as_user(world.owner), f"/decisions/{decision.pk}/undo/"
    answer = owner.post(address)
    assert answer.status_code == 409
    assert "It has been changed since" in answer.text
    assert "e-mail by hand for good" in answer.text
    assert f"The contact of {world.delivery} now stands at" in answer.text
    assert email[1] not in answer.text
    owner.post(address, {"force": "1"})
    assert stands(returns, email) == ("person", shorter.expires_at)


def test_another_rules_entry_is_not_this_rules(world, returns):
    (first,) = suppress(world)
    (second,) = decide(world, "suppress_source", {"list": "returns"})
    Rule.objects.update(params={"list": "returns", "expires_days": 90})
    other = Rule.objects.create(
        flow=world.flow, name="Other", action="suppress_contact", params={"list": "returns"}
    )
    target = Target(world.source, "9", "Worse", delivery=world.delivery)
    (third,) = decisions.decide(other, [target], now=now())
    assert "e-mail by a rule for good" in what_stands(world, first)
    undo(world, second)
    undo(world, third)
    undo(world, first)
    assert not returns.entries.exists()


def test_what_ended_by_itself_has_not_been_changed(world, returns):
    (decision,) = suppress(world, at=now() - 40 * DAY)
    returns.entries.filter(kind="email").delete()  # as tidying does
    assert undo(world, decision).status == "undone"
    assert not returns.entries.exists()


def test_a_shorter_entry_whose_time_is_over_by_now_is_not_put_back(world, returns, shorter):
    (decision,) = suppress(world)
    decision.before["stood"]["email"]["expires_at"] = (now() - DAY).isoformat()
    decision.save()
    undo(world, decision)
    assert not returns.entries.exists()


def test_without_the_list_there_is_nothing_to_take_back(world, returns):
    (decision,) = suppress(world)
    returns.delete()
    for force in (False, True):
        with pytest.raises(CannotUndo, match="no suppression list “returns”"):
            undo(world, decision, force=force)


# --- Sources, and the way back that a rule takes by itself ------------------------------------------------


@pytest.fixture
def source_value(world) -> tuple[str, str]:
    return "source", f"{world.flow.public_id}/{world.source.slug}"


def take_off(world, decision) -> Decision:
    """As `flows.clearing` does, once the condition has cleared."""
    (plan,) = actions.get("suppress_source").plan_reverse([decision], ["It is better"])
    reversal = Decision(
        flow=world.flow, rule=decision.rule, rule_name=decision.rule_name, source=world.source,
        reverses=decision, evaluation="back", action="unsuppress_source", params=decision.params,
        before=plan.before, after=plan.after, decided_at=now(),
    )  # fmt: skip
    (reversal,) = decisions.record([reversal], decision.rule)
    return reversal


def test_taking_back_leaves_what_a_person_had_put_there(world, returns, source_value):
    add_all(returns, [source_value], origin="person", reason="Audit", expires_at=now() + 5 * DAY)
    before = rows(returns)
    (decision,) = suppress(world, name="suppress_source")
    reversal = take_off(world, decision)
    assert rows(returns) == before
    assert "as before on “Returns”" in decisions.headline(reversal)
    undo(world, reversal)
    assert returns.entries.get().expires_at == decision.decided_at + 30 * DAY
    assert returns.entries.get().decision == decision
    undo(world, decision)
    assert rows(returns) == before


def test_a_rule_does_not_take_off_what_a_person_made_longer(world, returns, source_value):
    (decision,) = suppress(world, name="suppress_source")
    make_permanent(returns, source_value)
    (plan,) = actions.get("suppress_source").plan_reverse([decision], ["It is better"])
    assert isinstance(plan, Changed)
    assert plan.stands["now"]["source"]["origin"] == "person"


@pytest.mark.parametrize("until", [None, 5 * DAY])
def test_undoing_the_way_back_asks_where_somebody_put_it_there_since(world, returns, source_value, until):
    (decision,) = suppress(world, name="suppress_source")
    reversal = take_off(world, decision)
    assert not returns.entries.exists()
    add_all(returns, [source_value], origin="person", expires_at=until and now() + until)
    said = what_stands(world, reversal)
    assert "source by hand" in said
    undo(world, reversal, force=True)
    entry = returns.entries.get()
    assert (entry.origin, entry.decision) == ("rule", decision)
    assert entry.expires_at == decision.decided_at + 30 * DAY


def test_undoing_the_way_back_asks_where_what_was_put_back_is_gone(world, returns, source_value):
    add_all(returns, [source_value], origin="person", expires_at=now() + 5 * DAY)
    (decision,) = suppress(world, name="suppress_source")
    reversal = take_off(world, decision)
    remove_all(returns, [source_value])
    assert what_stands(world, reversal) == "not on “Returns”"
    undo(world, reversal, force=True)
    assert returns.entries.get().decision == decision


def test_the_page_says_when_undoing_leaves_nothing(world, returns, source_value, as_user):
    (decision,) = suppress(world, name="suppress_source")
    add_all(returns, [source_value], origin="api")
    page = as_user(world.owner).post(f"/decisions/{decision.pk}/undo/").text
    assert "source by the API for good" in page
    assert "undoing takes off what stands now" in page
