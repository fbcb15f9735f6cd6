"""A return's life by plain calls: what is refused, what is recorded, what is credited, who hears of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.timezone import now

from feedback.intake import intake
from feedback.models import ChangeSet, Credit, Door, Feedback, ReturnMessage, ReturnRequest
from feedback.quality import recompute
from feedback.returns.decide import decide, reopen, replace_by, withdraw
from feedback.returns.ledger import sums
from feedback.returns.terms import offer_of
from feedback.returns.thread import say
from feedback.stale import mark
from feedback.submission import Origin, Submission
from feedback.verify import verify
from feedback.watch import watch
from flows.models import Alert, Delivery, Endpoint, OutboxMessage
from flows.problems import ProblemError
from tests import factories as make
from tests.feedback.returning import REASON, decided, delivered, rejected, requested, sheet_of, takes_returns

Status, Act = ReturnRequest.Status, ReturnMessage.Act
NOON_OF_MARCH = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def agreement(world):
    return takes_returns(world)


def report(world, **values):
    payload = {"lead_id": world.delivery.public_id, **values}
    origin = Origin(world.actor(world.agent), Door.API)
    (receipt,) = intake(world.flow, [Submission(0, payload)], origin)
    assert receipt.status == "recorded"


def acts(request) -> list[str]:
    return list(request.messages.order_by("pk").values_list("act", flat=True))


def mails() -> list[tuple[list[str], str]]:
    sent = OutboxMessage.objects.filter(kind="email").order_by("pk")
    return [(each.payload["to"], each.payload["subject"]) for each in sent]


def all_is_well() -> None:
    mark(list(Delivery.objects.all()))  # those that a factory made have none
    recompute()
    faults = {finding.name: finding.faults for finding in verify() if finding.faults}
    assert not faults


# --- Asking ---
def test_a_request_says_nothing_of_the_lead_and_waits_for_the_seller(world):
    before = now()
    request = requested(world, note="The number is a fax.")
    world.delivery.refresh_from_db()
    assert (world.delivery.outcome, world.delivery.version) == (None, 0)
    assert not Feedback.objects.exists()
    assert not Credit.objects.exists()
    assert (request.status, request.user, request.note) == ("requested", world.agent, "The number is a fax.")
    assert dt.timedelta(days=5) <= request.due_at - before < dt.timedelta(days=5, seconds=30)
    assert acts(request) == [Act.REQUESTED]
    all_is_well()


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"return_window_days": None}, "not part of your agreement"),
        ({"return_window_days": 1}, "for 1 days after delivery"),
        ({"return_cap_kind": "count", "return_cap": 0}, "The cap is reached"),
        ({"return_cap_kind": "share", "return_cap": 50}, "Of the 1 lead delivered in"),
    ],
)
def test_what_the_agreement_does_not_take_is_refused(world, terms, says):
    takes_returns(world, **terms)
    world.delivery.delivered_at = now() - dt.timedelta(days=2)
    world.delivery.save()
    with pytest.raises(ProblemError, match=says):
        requested(world)
    assert not ReturnRequest.objects.exists()


def test_a_window_closes_to_the_second(world):
    closes = world.delivery.delivered_at + dt.timedelta(days=14)
    with pytest.raises(ProblemError, match="could be returned"):
        requested(world, now=closes + dt.timedelta(seconds=1))
    assert requested(world, now=closes).is_open


def test_a_lead_is_returned_once_unless_the_request_was_withdrawn(world):
    request = requested(world)
    with pytest.raises(ProblemError, match="returned already"):
        requested(world)
    withdraw(request, world.actor(world.manager), note="Reached them after all.")
    again = requested(world)
    rejected(world, again)
    with pytest.raises(ProblemError, match="returned already"):
        requested(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReturnRequest.objects.create(
            delivery=world.delivery, flow=world.flow, buyer=world.buyer, reason=REASON, due_at=now()
        )


def test_the_cap_counts_what_waits_and_what_was_granted_of_the_months_leads(world):
    takes_returns(world, return_cap_kind="count", return_cap=2)
    first, second, third = delivered(world, 3, delivered_at=now())
    one, two = requested(world, first), requested(world, second)
    with pytest.raises(ProblemError, match=r"2 may be returned: 2 used, 0 left"):
        requested(world, third)
    rejected(world, one)
    assert requested(world, third).is_open
    decided(world, two)
    with pytest.raises(ProblemError, match="The cap is reached"):
        requested(world, delivered(world, delivered_at=now())[0])


def test_a_share_grows_with_the_deliveries_and_belongs_to_their_month(world):
    """March and April in New York; the delivery of the world itself is of neither."""
    agreement = takes_returns(world, return_cap_kind="share", return_cap=10, return_window_days=60)
    first_hour_of_april = dt.datetime(2026, 4, 1, 4, tzinfo=dt.UTC)
    (april,) = delivered(world, delivered_at=first_hour_of_april)
    march = delivered(world, 9, delivered_at=NOON_OF_MARCH)
    late = NOON_OF_MARCH + dt.timedelta(days=40)

    def cap(delivery):
        return offer_of(delivery, world.flow, agreement, late).cap

    assert (cap(march[0]).delivered, cap(march[0]).left) == (9, 0)
    delivered(world, delivered_at=first_hour_of_april - dt.timedelta(seconds=1))
    assert (cap(march[0]).delivered, cap(march[0]).left) == (10, 1)
    requested(world, march[0], now=late)
    assert (cap(march[1]).used, cap(march[1]).left) == (1, 0)
    assert (cap(april).delivered, cap(april).used) == (1, 0)


# --- Deciding ---
def test_an_approval_credits_the_price_and_says_returned_on_the_lead(world):
    request = requested(world)
    decided(world, request, note="Fine.")
    assert (request.status, request.decided_by, request.by_rule) == ("credited", world.owner, False)
    (entry,) = Credit.objects.all()
    assert (entry.kind, entry.amount, entry.currency) == ("credit", Decimal("20.00"), "USD")
    world.delivery.refresh_from_db()
    assert (world.delivery.outcome, world.delivery.conversion_status) == ("returned", "not_sold")
    event = Feedback.objects.get()
    assert request.feedback == event
    assert event.values == {"outcome": "returned", "reason": REASON}
    assert (event.change_set.door, event.change_set.user) == (Door.PORTAL, world.owner)
    assert event.change_set.buyer == world.buyer
    assert acts(request) == [Act.REQUESTED, Act.CREDITED]
    all_is_well()


def test_the_credit_is_what_the_lead_cost_then_and_stays_that(world):
    request = requested(world)
    decided(world, request)
    world.source.base_price = 99
    world.source.save()
    assert sums(Credit.objects.all()) == {"USD": Decimal(20)}


def test_what_the_buyer_has_reported_already_is_not_said_twice(world):
    report(world, outcome="returned", reason=REASON)
    request = requested(world)
    decided(world, request)
    assert Feedback.objects.count() == 1
    assert request.feedback is None
    reopen(request, request.version, world.actor(world.owner), note="By mistake.")
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == "returned"
    all_is_well()


def test_an_approval_is_recorded_after_the_update_window_and_on_any_schema(world):
    """Both bind what a buyer reports; here both sides have agreed."""
    takes_returns(world, return_window_days=100)
    world.flow.update_window_days, world.flow.feedback_enabled = 1, False
    world.flow.save()
    world.flow.fields.all().delete()
    world.delivery.delivered_at -= dt.timedelta(days=50)
    world.delivery.save()
    request = requested(world)
    decided(world, request)
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == "returned"
    all_is_well()


def test_a_rejection_credits_nothing_and_leaves_the_lead_alone(world):
    report(world, outcome="contacted")
    request = requested(world)
    rejected(world, request, note="You talked to them for an hour.")
    world.delivery.refresh_from_db()
    assert (request.status, world.delivery.outcome) == ("rejected", "contacted")
    assert not Credit.objects.exists()
    all_is_well()


def test_everything_that_happens_makes_it_another_version(world):
    """Else a page of before would decide on what was decided, and taken back, since."""
    request = requested(world)
    owner, agent = world.actor(world.owner), world.actor(world.agent)
    seen = []
    for deed in (
        lambda: say(request, agent, "More."),
        lambda: rejected(world, request),
        lambda: reopen(request, request.version, owner, note="Wait."),
        lambda: decided(world, request),
        lambda: reopen(request, request.version, owner, note="No."),
        lambda: withdraw(request, agent),
    ):
        seen.append(request.version)
        deed()
        request.refresh_from_db()
    assert [*seen, request.version] == [1, 2, 3, 4, 5, 6, 7]


def test_many_are_decided_together_or_none_of_them(world):
    requests = [requested(world, each) for each in delivered(world, 3)]
    seen = {each.pk: each.version for each in requests}
    say(requests[1], world.actor(world.agent), "One thing more.")
    with pytest.raises(ProblemError, match="has changed since"):
        decide(seen, "approve", world.actor(world.owner))
    assert not Credit.objects.exists()
    decided(world, *requests)
    assert sums(Credit.objects.all()) == {"USD": Decimal(60)}
    assert Feedback.objects.values("change_set").distinct().count() == 1
    all_is_well()


def test_the_number_of_queries_of_a_decision_does_not_grow_with_the_returns(
    world, django_assert_max_num_queries
):
    few = [requested(world, each) for each in delivered(world, 2)]
    many = [requested(world, each) for each in delivered(world, 25)]
    actor = world.actor(world.owner)
    with django_assert_max_num_queries(40) as counted:
        decide({each.pk: each.version for each in few}, "approve", actor)
    before = len(counted)
    with django_assert_max_num_queries(before):
        decide({each.pk: each.version for each in many}, "approve", actor)


def test_a_rule_approves_its_reasons_at_once_within_the_cap(world):
    takes_returns(world, return_auto_reasons=[REASON], return_cap_kind="count", return_cap=1)
    first, second = delivered(world, 2)
    request = requested(world, first)
    request.refresh_from_db()
    assert (request.status, request.by_rule, request.decided_by) == ("credited", True, None)
    assert acts(request) == [Act.REQUESTED, Act.CREDITED]
    assert request.messages.latest("pk").side == "rule"
    with pytest.raises(ProblemError, match="The cap is reached"):
        requested(world, second)
    all_is_well()


def test_a_rule_never_takes_back_a_lead_that_was_sold_nor_for_another_reason(world):
    takes_returns(world, return_auto_reasons=[REASON])
    report(world, outcome="converted")
    assert requested(world).is_open
    assert requested(world, delivered(world)[0], reason="Wrong person").is_open


# --- Replacements ---
def test_another_lead_takes_the_place_of_credit(world):
    takes_returns(world, offers_replacement=True)
    request = requested(world, wanted="replacement")
    decided(world, request)
    (promise,) = Credit.objects.all()
    assert (request.status, promise.kind, promise.amount) == ("approved", "replacement", 0)
    (better,) = delivered(world)
    replace_by(request, f" {better.public_id} ", world.actor(world.owner))
    request.refresh_from_db()
    assert (request.status, request.replacement) == ("replaced", better)
    assert acts(request) == [Act.REQUESTED, Act.PROMISED, Act.REPLACED]
    all_is_well()


def test_a_wish_for_another_lead_is_credit_where_none_is_offered(world):
    assert requested(world, wanted="replacement").wanted == "credit"


def test_the_seller_has_the_last_word_on_the_remedy(world):
    takes_returns(world, offers_replacement=True)
    request = requested(world, wanted="replacement")
    decided(world, request, remedy="credit")
    assert request.status == "credited"


def test_only_a_later_lead_of_the_same_buyer_and_flow_replaces_once(world, other_world):
    first, second, sent_back = delivered(world, 3)
    takes_returns(world, offers_replacement=True)
    one = requested(world, wanted="replacement")
    two = requested(world, first, wanted="replacement")
    requested(world, sent_back)
    decided(world, one, two)
    rival = make.DeliveryFactory(lead__source=world.source)
    (old,) = delivered(world, delivered_at=now() - dt.timedelta(days=9))
    wrong = {
        "": "No lead of this buyer",
        "evt_\0": "No lead of this buyer",
        rival.public_id: "No lead of this buyer",
        other_world.delivery.public_id: "No lead of this buyer",
        world.delivery.public_id: "returned lead itself",
        old.public_id: "before the one",
        sent_back.public_id: "sent back itself",
    }
    for lead_id, says in wrong.items():
        with pytest.raises(ProblemError, match=says):
            replace_by(one, lead_id, world.actor(world.owner))
    replace_by(one, second.public_id, world.actor(world.owner))
    with pytest.raises(ProblemError, match="replaces another one"):
        replace_by(two, second.public_id, world.actor(world.owner))
    with pytest.raises(ProblemError, match="has changed"):
        replace_by(one, second.public_id, world.actor(world.owner))


# --- Taking a decision back ---
def test_a_decision_is_taken_back_whole(world):
    report(world, outcome="contacted")
    request = requested(world)
    decided(world, request)
    reopen(request, request.version, world.actor(world.owner), note="Wrong lead.")
    request.refresh_from_db()
    world.delivery.refresh_from_db()
    assert (request.status, request.decided_at, request.feedback) == ("requested", None, None)
    assert world.delivery.outcome == "contacted"
    kinds = list(Credit.objects.order_by("pk").values_list("kind", "amount"))
    assert kinds == [("credit", Decimal(20)), ("reversal", Decimal(-20))]
    assert acts(request)[-1] == Act.REOPENED
    decided(world, request)
    assert sums(Credit.objects.all()) == {"USD": Decimal(20)}
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == "returned"
    all_is_well()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_buyer_undoes_no_decision_of_the_seller(world, as_user, at_once):
    """Neither an approval, by a person or as agreed, nor that one was taken back."""
    takes_returns(world, return_auto_reasons=[REASON] if at_once else [])
    request = requested(world)
    if not at_once:
        decided(world, request)
    client = as_user(world.manager)
    refused = "The seller decided this on a return"
    approval = ChangeSet.objects.get()
    assert refused in client.get(f"/history/{approval.public_id}/").content.decode()
    client.post(f"/history/{approval.public_id}/undo/")
    assert not Feedback.objects.filter(retracts__isnull=False).exists()
    request.refresh_from_db()
    reopen(request, request.version, world.actor(world.owner), note="Wrong lead.")
    back = ChangeSet.objects.latest("pk")
    assert refused in client.get(f"/history/{back.public_id}/").content.decode()
    client.post(f"/history/{back.public_id}/undo/")
    assert Feedback.objects.filter(retracts__isnull=False).count() == 1
    all_is_well()


def test_a_promise_and_a_rejection_are_taken_back_too(world):
    takes_returns(world, offers_replacement=True)
    promised, refused = (requested(world, each, wanted="replacement") for each in delivered(world, 2))
    decided(world, promised)
    (better,) = delivered(world)
    replace_by(promised, better.public_id, world.actor(world.owner))
    rejected(world, refused)
    for request in (promised, refused):
        request.refresh_from_db()
        reopen(request, request.version, world.actor(world.owner), note="Again.")
        request.refresh_from_db()
        assert (request.status, request.replacement) == ("requested", None)
    assert not any(sums(Credit.objects.all()).values())
    all_is_well()


def test_what_is_not_decided_or_has_changed_is_not_taken_back(world):
    request = requested(world)
    actor = world.actor(world.owner)
    with pytest.raises(ProblemError):
        reopen(request, request.version, actor, note="?")
    decided(world, request)
    with pytest.raises(ProblemError):
        reopen(request, request.version - 1, actor, note="?")
    reopen(request, request.version, actor, note="Yes.")
    with pytest.raises(ProblemError):
        reopen(request, request.version, actor, note="Twice.")
    withdraw(request, world.actor(world.agent))
    request.refresh_from_db()
    with pytest.raises(ProblemError):
        reopen(request, request.version, actor, note="?")
    with pytest.raises(ProblemError):
        withdraw(request, world.actor(world.agent))


def test_the_buyer_correcting_what_the_approval_said_does_not_hinder_its_reversal(world):
    from feedback.corrections import take_back

    request = requested(world)
    decided(world, request)
    world.delivery.refresh_from_db()
    origin = Origin(world.actor(world.agent), Door.PORTAL)
    take_back(world.delivery, request.feedback.public_id, world.delivery.version, origin)
    reopen(request, request.version, world.actor(world.owner), note="Right.")
    all_is_well()


# --- The ledger ---
def test_the_ledger_is_append_only(world):
    request = requested(world)
    decided(world, request)
    entry = Credit.objects.get()
    entry.amount = 1
    for deed in (
        entry.save,
        entry.delete,
        Credit.objects.all().delete,
        lambda: Credit.objects.update(amount=1),
        lambda: Credit.objects.bulk_update([entry], ["amount"]),
        request.messages.all().delete,
    ):
        with pytest.raises(TypeError, match="append-only"):
            deed()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the trigger is PostgreSQL's")
@pytest.mark.postgres
@pytest.mark.parametrize("sql", ["UPDATE feedback_credit SET amount = 1", "DELETE FROM feedback_credit"])
def test_the_database_itself_refuses_to_rewrite_the_ledger(world, sql):
    decided(world, requested(world))
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


@pytest.mark.parametrize(
    "columns", [{"kind": "credit", "amount": -1}, {"kind": "replacement", "amount": 1}, {"kind": "reversal"}]
)
def test_an_entry_fits_its_kind(world, columns):
    request = requested(world)
    message = request.messages.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.create(
            request=request, flow=world.flow, buyer=world.buyer, currency="USD", message=message,
            booked_on=now().date(), **{"amount": 0, **columns},
        )  # fmt: skip


def test_verify_finds_a_ledger_that_does_not_fit(world):
    request = requested(world)
    decided(world, request)
    ReturnRequest.objects.update(status="rejected")
    (found,) = [finding for finding in verify() if finding.faults]
    assert found.name == "the ledger says what stands credited"
    assert "1 entries stand" in found.faults[0]


# --- Who hears of it ---
def test_both_sides_hear_of_what_the_other_does(world):
    first, second = delivered(world, 2)
    one = requested(world, first)
    requested(world, second)
    assert Alert.objects.get().title == f"{world.buyer} asks to return a lead"
    assert len(mails()) == 1  # the alert's; the second waits beside the first
    OutboxMessage.objects.all().delete()
    say(one, world.actor(world.owner), "Which number did you call?")
    say(one, world.actor(world.manager), "The one on the sheet.")
    decided(world, one, note="Thank you.")
    assert [to for to, _ in mails()] == [
        [world.agent.email],
        [world.owner.email],
        [world.manager.email, world.agent.email],
    ]
    told = OutboxMessage.objects.latest("pk").payload
    assert told["subject"] == f"Return of {first}: credited"
    assert "20.00 USD" in told["body"]
    assert "Thank you." in told["body"]
    assert world.delivery.lead.email not in str(told)


def test_a_price_that_is_hidden_is_not_told_by_mail_either(world):
    takes_returns(world, shows_price=False)
    decided(world, requested(world))
    assert "20.00" not in OutboxMessage.objects.latest("pk").payload["body"]


def test_a_bulk_decision_is_one_mail(world):
    requests = [requested(world, each) for each in delivered(world, 25)]
    OutboxMessage.objects.all().delete()
    decided(world, *requests)
    ((to, subject),) = mails()
    assert (to, subject) == ([world.agent.email], "25 of your returns were decided")
    assert "and 5 more" in OutboxMessage.objects.get().payload["body"]


def test_who_has_left_is_not_written_to(world):
    request = requested(world)
    world.agent.memberships.all().delete()
    OutboxMessage.objects.all().delete()
    rejected(world, request)
    assert [to for to, _ in mails()] == [[world.manager.email]]


def test_endpoints_hear_of_requests_and_decisions(world):
    import json

    types = ["return.requested", "return.decided"]
    Endpoint.objects.create(seller=world.seller, name="CRM", url="https://x.example", events=types)
    request = requested(world)
    decided(world, request)
    reopen(request, request.version, world.actor(world.owner), note="No.")
    sent = OutboxMessage.objects.exclude(kind="email").order_by("pk")
    bodies = [json.loads(each.payload["body"]) for each in sent]
    assert [body["type"] for body in bodies] == ["return.requested", "return.decided", "return.decided"]
    assert [body["data"]["status"] for body in bodies] == ["requested", "credited", "requested"]
    assert (
        bodies[1]["data"]
        | {
            "return_id": request.public_id,
            "lead_id": world.delivery.public_id,
            "reason": REASON,
            "credited": "20.00",
            "currency": "USD",
            "by_rule": False,
        }
        == bodies[1]["data"]
    )


def test_nothing_is_told_of_what_was_rolled_back(world):
    with pytest.raises(RuntimeError), transaction.atomic():
        requested(world)
        raise RuntimeError
    assert not OutboxMessage.objects.exists()


def test_returns_past_their_deadline_are_told_once_and_when_they_are_answered(world):
    one, two = (requested(world, each) for each in delivered(world, 2))
    Alert.objects.all().delete()
    late = now() + dt.timedelta(days=8)
    watch(now=now())
    assert not Alert.objects.exists()
    watch(now=late)
    watch(now=late + dt.timedelta(hours=1))
    told = Alert.objects.get()
    assert told.title == f"2 returns wait for your answer to {world.buyer}"
    assert told.body.startswith(f"{world.flow}: the first deadline passed 3 days ago. ")
    rejected(world, one)
    watch(now=late)
    assert Alert.objects.count() == 1
    decided(world, two)
    watch(now=late)
    assert Alert.objects.latest("pk").title.startswith("Resolved: 2 returns wait")


def test_a_message_changes_whose_turn_it_is_but_not_the_deadline(world):
    request = requested(world)
    due = request.due_at
    say(request, world.actor(world.owner), "Send the recording, please.")
    request.refresh_from_db()
    assert (request.buyers_turn, request.due_at) == (True, due)
    say(request, world.actor(world.agent), "Here.")
    request.refresh_from_db()
    assert (request.buyers_turn, request.due_at) == (False, due)


def test_on_a_withdrawn_return_nothing_more_is_said(world):
    request = requested(world)
    withdraw(request, world.actor(world.agent))
    with pytest.raises(ProblemError, match="withdrawn"):
        say(request, world.actor(world.owner), "Pity.")
    assert sheet_of(world).delivery == world.delivery
