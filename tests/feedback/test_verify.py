"""``manage.py verify`` holds on sound data, and names each invariant broken behind the code’s back."""

import json

import pytest
from django.core.management import call_command
from django.db import connection

from feedback import quality, stale
from feedback.external_ids import set_external_id
from feedback.intake import intake
from feedback.models import ChangeSet, Door, SourceDay
from feedback.submission import Origin, Submission
from flows.models import Decision, Delivery
from flows.presets import set_up_flow
from tests import factories as make
from tests.triggers import switch_off_append_only

HEADS = {
    "state": "every delivery's state is the fold of its events",
    "event": "every event reads as it was recorded",
    "set": "every event belongs to a change set",
    "own": "every own id is as its last change left it",
    "cell": "every cell is the aggregate of its deliveries",
    "return": "every return is of its lead, and its decision whole",
    "ledger": "the ledger says what stands credited",
    "decision": "every decision is unique and has its numbers",
    "paused": "every paused source says why",
    "outbox": "every outbox message is waiting, sent or given up",
    "tenant": "every row stays within its tenant",
}


@pytest.fixture
def sound(world, other_world):
    """Feedback through the pipeline, recomputed, with a decision and an alert from it."""
    set_up_flow(world.flow)
    for _ in range(29):
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    deliveries = list(Delivery.objects.all())
    said = [
        Submission(
            index,
            {"lead_id": each.public_id, "quality_score": 2, "outcome": "returned", "revenue": "12.50"},
        )
        for index, each in enumerate(deliveries)
        if each.flow_id == world.flow.pk
    ]
    receipts = intake(world.flow, said, Origin(world.actor(world.manager), Door.PORTAL))
    assert {receipt.status for receipt in receipts} == {"recorded"}
    set_external_id(world.delivery, "CRM-1", "", Origin(world.actor(world.manager), Door.PORTAL))
    stale.mark(deliveries)
    while quality.recompute():
        pass
    assert Decision.objects.count() == 31
    return world


def run(*args):
    """The findings with faults, by their short name, and the exit code."""
    import io

    out, code = io.StringIO(), 0
    try:
        call_command("verify", "--json", *args, stdout=out)
    except SystemExit as leaving:
        code = leaving.code
    found = {finding["name"]: finding for finding in json.loads(out.getvalue())}
    return {short: found[name] for short, name in HEADS.items() if found[name]["faults"]}, code, found


def test_sound_data_holds(sound):
    broken, code, found = run()
    assert (broken, code) == ({}, 0)
    assert set(found) == set(HEADS.values())
    assert found[HEADS["state"]]["checked"] == 31
    assert found[HEADS["outbox"]]["waiting"] == 1


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE flows_delivery SET revenue = 13 WHERE flow_id = {flow}", {"state", "cell"}),
        ('UPDATE flows_delivery SET fields = \'{{"notes": "x"}}\' WHERE flow_id = {flow}', {"state"}),
        ("UPDATE feedback_feedback SET fingerprint = 'x' WHERE id = {event}", {"event"}),
        ("UPDATE feedback_feedback SET change_set_id = {foreign_set} WHERE id = {event}", {"set"}),
        ("UPDATE flows_delivery SET first_feedback_at = delivered_at WHERE id = {delivery}", {"state"}),
        ("UPDATE flows_delivery SET external_id = 'CRM-2' WHERE id = {delivery}", {"own"}),
        ("UPDATE feedback_externalidchange SET change_set_id = {foreign_set}", {"tenant"}),
        (
            "UPDATE feedback_changeset SET undo_id = {foreign_set} WHERE id = "
            "(SELECT MIN(change_set_id) FROM feedback_feedback WHERE id = {event})",
            {"tenant"},
        ),
        ("UPDATE feedback_sourceday SET delivered = delivered + 1", {"cell"}),
        ("UPDATE feedback_sourceday SET revenue = revenue + 0.001", {"cell"}),
        ("DELETE FROM feedback_sourceday", {"cell"}),
        ("UPDATE feedback_sourceday SET day = '2001-01-01' WHERE source_id = {source}", {"cell"}),
        ("UPDATE flows_decision SET numbers = '{{}}'", {"decision"}),
        ("UPDATE flows_decision SET status = 'undone'", {"decision"}),
        ("UPDATE flows_source SET status_reason = '' WHERE id = {source}", {"paused"}),
        ("UPDATE flows_outboxmessage SET status = 'done'", {"outbox"}),
        ("UPDATE flows_outboxmessage SET status = 'dead'", {"outbox"}),
        ("UPDATE flows_outboxmessage SET attempts = 11", {"outbox"}),
        ("UPDATE flows_alert SET seller_id = {other_seller}", {"tenant"}),
        ("UPDATE flows_lead SET flow_id = {other_flow} WHERE flow_id = {flow}", {"tenant"}),
        ("UPDATE portal_buyer SET seller_id = {other_seller} WHERE id = {buyer}", {"tenant"}),
        ("UPDATE flows_decision SET flow_id = {other_flow}", {"tenant"}),
    ],
)
def test_what_is_broken_is_named(sound, other_world, sql, broken):
    foreign = ChangeSet.objects.create(door=Door.API, flow=other_world.flow, buyer=other_world.buyer)
    ids = {
        "flow": sound.flow.pk,
        "source": sound.source.pk,
        "buyer": sound.buyer.pk,
        "delivery": sound.delivery.pk,
        "event": sound.delivery.feedback.get().pk,
        "foreign_set": foreign.pk,
        "other_flow": other_world.flow.pk,
        "other_seller": other_world.seller.pk,
    }
    switch_off_append_only()
    with connection.cursor() as cursor:
        cursor.execute(sql.format(**ids))
        assert cursor.rowcount > 0
    found, code, _ = run()
    assert set(found) == broken
    assert code == 1


def test_a_cell_with_an_open_mark_waits(sound):
    SourceDay.objects.all().delete()
    stale.mark(Delivery.objects.all())
    broken, code, found = run()
    assert (broken, code) == ({}, 0)
    assert found[HEADS["cell"]]["waiting"] == 2


def test_people_read_one_line_an_invariant_and_the_faults(sound, capsys):
    Delivery.objects.filter(pk=sound.delivery.pk).update(quality_score=5)
    with pytest.raises(SystemExit):
        call_command("verify", "--no-color")
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("ok ", "FAIL")) for line in lines) == len(HEADS)
    assert f"{sound.delivery.public_id}: quality_score is 5, its events make 2" in lines[1]


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs DDL inside a transaction")
def test_a_decision_taken_twice_is_named(sound):
    (unique,) = Decision._meta.constraints
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE flows_decision DROP CONSTRAINT {unique.name}")
    decision = Decision.objects.filter(delivery=None).first()
    decision.pk = None
    decision.save(force_insert=True)
    found, _, _ = run()
    assert "decided 2 times" in found["decision"]["faults"][0]


@pytest.mark.django_db(transaction=True)
def test_it_leaves_no_transaction_open():
    set_up_flow(make.FlowFactory())
    _, code, _ = run()
    assert code == 0
    assert not connection.in_atomic_block
    make.FlowFactory()  # still to be written to, so neither read-only nor inside the snapshot
