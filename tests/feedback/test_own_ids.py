"""The buyer's own id of a lead: set and cleared on its page; learned from files, put back by an undo."""

from __future__ import annotations

import datetime as dt
import importlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.urls import reverse
from django.utils import timezone

from feedback import external_ids, intake, tasks, undo, uploads
from feedback.external_ids import set_external_id
from feedback.models import ChangeSet, Door, ExternalIdChange, Feedback
from feedback.submission import Origin, Submission
from feedback.verify import verify
from flows.models import Delivery
from tests import conftest
from tests import factories as make
from tests.feedback.test_uploads import KilledError, expire

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def put(client, world):
    """``put("CRM-1")``: what the form sends; ``seen`` is the id that it showed."""

    def send(text: str, *, seen: str | None = None, delivery: Delivery | None = None):
        row = Delivery.objects.get(pk=(delivery or world.delivery).pk)
        data = {"external_id": text, "seen": (row.external_id or "") if seen is None else seen}
        return client.post(reverse("lead-own-id", args=[row.public_id]), data)

    return send


@pytest.fixture
def other(world) -> Delivery:
    """Another lead of the same buyer on the same flow."""
    return make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)


def own_id(delivery: Delivery) -> str | None:
    return Delivery.objects.get(pk=delivery.pk).external_id


def page(client, world) -> str:
    return client.get(reverse("lead-detail", args=[world.delivery.public_id])).content.decode()


def assert_sound() -> None:
    assert [fault for finding in verify() for fault in finding.faults if "cell" not in fault] == []


# --- On the lead's page ------------------------------------------------------------------------------
def test_it_is_set_changed_and_cleared_and_each_is_in_the_history(put, client, world):
    before = world.delivery.updated_at
    assert put("  CRM-1 ").status_code == 302
    row = Delivery.objects.get(pk=world.delivery.pk)
    assert row.external_id == "CRM-1"
    assert row.updated_at > before
    assert 'value="CRM-1"' in page(client, world)
    put("CRM-2")
    put("")
    assert own_id(world.delivery) is None
    found = list(ExternalIdChange.objects.order_by("pk").values_list("before", "after"))
    assert found == [(None, "CRM-1"), ("CRM-1", "CRM-2"), ("CRM-2", None)]
    change_set = ChangeSet.objects.latest("pk")
    assert (change_set.user, change_set.door) == (world.agent, Door.PORTAL)
    words = page(client, world).split('id="history"')[1]
    assert words.count("Your ID:") == 3
    assert words.index("CRM-2</span>") < words.index("CRM-1</span>")  # the latest first
    assert_sound()


def test_the_list_finds_the_lead_by_it(put, client, world, other):
    put("CRM-4711")
    found = client.get("/leads/?q=crm-47").content.decode()
    assert f'id="lead-{world.delivery.public_id}"' in found
    assert f'id="lead-{other.public_id}"' not in found


def test_feedback_finds_the_lead_by_it_at_once(put, api, world):
    put("CRM-1")
    assert api.post({"external_id": "CRM-1", "outcome": "converted"}).status_code == 201
    assert Delivery.objects.get(pk=world.delivery.pk).outcome == "converted"


def test_an_id_of_another_lead_is_refused_and_says_which_has_it(put, client, world, other):
    put("CRM-1", delivery=other)
    answer = put("CRM-1")
    words = answer.content.decode()
    assert answer.status_code == 422
    assert other.public_id in words.split('id="own-id-fault"')[1].split("</ul>")[0]
    assert 'value="CRM-1"' in words  # what was typed is kept
    assert 'aria-invalid="true"' in words
    assert own_id(world.delivery) is None
    assert ExternalIdChange.objects.count() == 1


def test_an_id_that_another_buyer_uses_is_free(put, world):
    neighbour = make.DeliveryFactory(lead=world.delivery.lead, flow=world.flow, external_id="CRM-1")
    put("CRM-1")
    assert (own_id(world.delivery), own_id(neighbour)) == ("CRM-1", "CRM-1")


@pytest.mark.parametrize(
    ("text", "words"), [("x" * 129, "at most 128 characters; these are 129"), ("a\0b", "cannot be stored")]
)
def test_what_cannot_be_an_id_is_refused(put, world, text, words):
    answer = put(text)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert own_id(world.delivery) is None


def test_a_stale_tab_is_told_what_stands_now(put, world):
    put("CRM-1")
    answer = put("CRM-9", seen="")
    words = answer.content.decode()
    assert answer.status_code == 409
    assert "It is CRM-1 now" in words
    assert 'value="CRM-9"' in words
    assert own_id(world.delivery) == "CRM-1"
    assert put("CRM-9", seen="CRM-1").status_code == 302


def test_the_same_again_changes_nothing(put):
    put("CRM-1")
    assert put("CRM-1", seen="").status_code == 302
    assert ExternalIdChange.objects.count() == 1


def test_it_can_be_set_after_the_window_has_closed(put, world):
    Delivery.objects.update(delivered_at=timezone.now() - dt.timedelta(days=100))
    put("CRM-1")
    assert own_id(world.delivery) == "CRM-1"


def test_others_can_neither_set_nor_see_it(world, other_world, as_user):
    address = reverse("lead-own-id", args=[world.delivery.public_id])
    for user in (world.owner, other_world.agent):
        assert as_user(user).post(address, {"external_id": "x", "seen": ""}).status_code == 404
    assert own_id(world.delivery) is None


def test_one_that_is_taken_at_the_same_moment_is_refused(world, other, monkeypatch):
    """The look finds it free; the database does not."""
    Delivery.objects.filter(pk=other.pk).update(external_id="CRM-1")
    monkeypatch.setattr(external_ids, "_refuse_if_taken", lambda *args: None)
    origin = Origin(world.actor(world.agent), Door.PORTAL)
    with pytest.raises(ValueError, match="another lead already"):
        set_external_id(world.delivery, "CRM-1", "", origin)
    assert own_id(world.delivery) is None
    assert not ChangeSet.objects.exists()


# --- Learned with feedback ---------------------------------------------------------------------------
@pytest.fixture
def tell(world):
    """Rows of feedback as an upload's chunk brings them → receipts."""

    def rows(*payloads: dict, **origin):
        options = {"learns_ids": True, **origin}
        told = Origin(world.actor(world.agent), Door.UPLOAD, **options)
        return intake.intake(world.flow, [Submission(n, each) for n, each in enumerate(payloads)], told)

    return rows


def test_a_door_that_does_not_learn_warns(tell, world):
    (receipt,) = tell(
        {"lead_id": world.delivery.public_id, "external_id": "a", "outcome": "contacted"}, learns_ids=False
    )
    assert (receipt.status, receipt.learned, len(receipt.warnings)) == ("recorded", False, 1)
    assert own_id(world.delivery) is None


def test_a_test_learns_nothing_and_says_what_it_would(tell, world):
    row = {"lead_id": world.delivery.public_id, "external_id": "a", "outcome": "contacted"}
    (receipt,) = tell(row, livemode=False)
    assert (receipt.status, receipt.learned) == ("test", True)
    assert own_id(world.delivery) is None
    assert not ChangeSet.objects.exists()


def test_an_id_taken_at_the_same_moment_loses_no_row(tell, world, other, monkeypatch):
    third = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    real = intake.weigh

    def meanwhile(*args, **kwargs):
        Delivery.objects.filter(pk=third.pk).update(external_id="b")
        return real(*args, **kwargs)

    monkeypatch.setattr(intake, "weigh", meanwhile)
    first, second = tell(
        {"lead_id": world.delivery.public_id, "external_id": "a", "outcome": "contacted"},
        {"lead_id": other.public_id, "external_id": "b", "outcome": "converted"},
    )
    assert (first.status, first.learned, first.warnings) == ("recorded", True, ())
    assert (second.status, second.learned) == ("recorded", False)
    assert "not on record" in second.warnings[0]
    assert (own_id(world.delivery), own_id(other), own_id(third)) == ("a", None, "b")
    assert Feedback.objects.count() == 2
    assert ExternalIdChange.objects.get().after == "a"


def test_the_number_of_queries_does_not_grow_with_the_ids(tell, world, django_assert_max_num_queries):
    leads = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(30)]
    rows = [
        {"lead_id": lead.public_id, "external_id": f"CRM-{n}", "outcome": "converted"}
        for n, lead in enumerate(leads)
    ]
    tell({"lead_id": world.delivery.public_id, "outcome": "converted"})  # compiles the schema
    with django_assert_max_num_queries(14):
        tell(*rows)
    assert Delivery.objects.filter(external_id__startswith="CRM-").count() == 30


# --- Undo of a file ----------------------------------------------------------------------------------
@pytest.fixture
def taught(world, settings, tmp_path):
    """``taught(ids)``: an upload whose rows bring these own ids, of leads of their own."""
    settings.MEDIA_ROOT = tmp_path

    def one(count: int, *, known: bool = False):
        leads = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(count)]
        lines = [f"{lead.public_id},CRM-{n},converted" for n, lead in enumerate(leads)]
        if known:
            rows = [{"lead_id": lead.public_id, "outcome": "converted"} for lead in leads]
            origin = Origin(world.actor(world.agent), Door.API)
            intake.intake(world.flow, [Submission(n, row) for n, row in enumerate(rows)], origin)
        text = "\n".join(["lead_id,external_id,outcome", *lines])
        file = SimpleUploadedFile("ids.csv", text.encode())
        upload = uploads.receive(world.actor(world.agent), world.flow, file)
        tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        return upload, leads

    return one


@pytest.mark.parametrize("known", [False, True])
def test_the_worker_puts_back_what_a_file_taught_and_what_was_set_since_stays(
    taught, put, world, monkeypatch, known
):
    monkeypatch.setattr(undo, "AT_ONCE", 2)
    upload, leads = taught(5, known=known)
    assert [own_id(lead) for lead in leads] == [f"CRM-{n}" for n in range(5)]
    assert upload.recorded == (0 if known else 5)
    put("Mine", delivery=leads[0])
    row = undo.undo(upload, Origin(world.actor(world.agent), Door.PORTAL))
    assert row.finished_at is None  # many: the worker does it, also where only ids are to be put back
    tasks.sweep_uploads()
    upload.refresh_from_db()
    assert upload.status == "undone"
    assert [own_id(lead) for lead in leads] == ["Mine", None, None, None, None]
    assert ExternalIdChange.objects.filter(change_set=upload.undo, after=None).count() == 4
    assert_sound()


def test_a_killed_worker_puts_each_back_once(taught, world, monkeypatch):
    monkeypatch.setattr(undo, "AT_ONCE", 2)
    monkeypatch.setattr(uploads, "CHUNK", 2)
    upload, leads = taught(6)
    undo.undo(upload, Origin(world.actor(world.agent), Door.PORTAL))
    real, calls = uploads.take_back, []

    def dies(*args):
        count = real(*args)
        calls.append(1)
        if len(calls) == 2:
            raise KilledError
        return count

    monkeypatch.setattr(uploads, "take_back", dies)
    with pytest.raises(KilledError):
        tasks.sweep_uploads()
    expire(upload)
    tasks.sweep_uploads()
    assert {own_id(lead) for lead in leads} == {None}
    assert ExternalIdChange.objects.filter(after=None).count() == 6
    assert_sound()


# --- Races, and rows of earlier releases -------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_of_many_who_claim_an_id_one_has_it():
    world = conftest.make_world()
    leads = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(6)]
    origin, start = Origin(world.actor(world.agent), Door.PORTAL), Barrier(len(leads))

    def claim(lead: Delivery) -> str:
        try:
            start.wait(timeout=20)
            set_external_id(lead, "CRM-1", "", origin)
            return "has it"
        except ValueError as error:
            return str(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(leads)) as pool:
        answers = list(pool.map(claim, leads))
    assert answers.count("has it") == 1
    assert sum("already" in answer for answer in answers) == 5
    assert Delivery.objects.filter(external_id="CRM-1").count() == 1
    assert ExternalIdChange.objects.count() == 1


def test_the_migration_tells_when_the_first_feedback_came_in(world, api):
    for outcome in ("contacted", "converted"):
        api.post({"lead_id": world.delivery.public_id, "outcome": outcome})
    first, second = Feedback.objects.order_by("pk")
    Feedback.objects.create(
        delivery=world.delivery,
        change_set=first.change_set,
        occurred_at=timezone.now(),
        received_at=timezone.now(),
        values={},
        fingerprint="f",
        schema_version=1,
        retracts=first,
    )
    migration = importlib.import_module("feedback.migrations.0009_first_feedback_after_undo")
    migration.tell_anew(apps, None)
    assert Delivery.objects.get(pk=world.delivery.pk).first_feedback_at == second.received_at
