"""An upload taken back: by the API, on the page, by the worker, and when that is killed."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from feedback import quality, tasks, undo, uploads
from feedback.models import ChangeSet, Feedback, StaleMark, Upload
from feedback.verify import verify
from flows.models import Delivery
from tests import factories as make
from tests.feedback.test_uploads import KilledError, counts, expire

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def leads(world) -> list[Delivery]:
    return [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(10)]


@pytest.fixture
def take(world, leads):
    """A file that converts the ten leads, read in chunks of four → the upload."""

    def one(*, read: bool = True) -> Upload:
        text = "\n".join(["lead_id,outcome", *(f"{lead.public_id},converted" for lead in leads)])
        file = SimpleUploadedFile("march.csv", text.encode())
        upload = uploads.receive(world.actor(world.agent), world.flow, file)
        if read:
            tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        return upload

    return one


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK", 4)


@pytest.fixture
def by_worker(monkeypatch):
    """Ten events are many."""
    monkeypatch.setattr(undo, "AT_ONCE", 5)


@pytest.fixture
def ask(api):
    """``ask(upload)`` → the answer to its undo."""

    def one(upload: Upload, **headers: str):
        return api.post(suffix=f"/uploads/{upload.public_id}/undo", body=b"", **headers)

    return one


def outcomes() -> list[str | None]:
    return list(Delivery.objects.filter(feedback_count__gt=0).values_list("outcome", flat=True))


def assert_sound() -> None:
    while quality.recompute():
        pass
    faults = [fault for finding in verify() for fault in finding.faults if "without a cell" not in fault]
    assert faults == []


def test_what_it_recorded_is_taken_back_and_nothing_is_deleted(take, ask, world):
    upload = take()
    assert outcomes() == ["converted"] * 10
    response = ask(upload)
    assert response.status_code == 200
    told = response.json()
    assert (told["status"], told["recorded"], told["progress"]) == ("undone", 10, 1)
    assert outcomes() == []
    assert Feedback.objects.count() == 20
    assert Feedback.objects.filter(retracts__change_set__upload=upload).count() == 10
    undone = Upload.objects.get().undo
    assert (undone.door, undone.api_key.name, undone.request_id) == ("api", "CRM", response["X-Request-Id"])
    assert set(StaleMark.objects.values_list("delivery", flat=True)) == set(
        Feedback.objects.values_list("delivery", flat=True)
    )
    assert_sound()


def test_what_came_before_and_after_stays(take, ask, api, leads):
    early, late, both = (lead.public_id for lead in leads[:3])
    api.post({"lead_id": early, "outcome": "contacted", "quality_score": 4})
    api.post({"lead_id": both, "outcome": "contacted", "revenue": 5})
    upload = take()
    api.post({"lead_id": late, "outcome": "returned"})
    api.post({"lead_id": both, "revenue": 7})
    ask(upload)
    found = {
        lead.public_id: (lead.outcome, lead.quality_score, lead.revenue)
        for lead in Delivery.objects.filter(feedback_count__gt=0)
    }
    assert found == {
        early: ("contacted", 4, None),
        late: ("returned", None, None),
        both: ("contacted", None, 7),
    }
    assert_sound()


def test_twice_is_once(take, ask):
    upload = take()
    first, again = ask(upload), ask(upload)
    assert first.json() == again.json()
    assert (again.status_code, Feedback.objects.count()) == (200, 20)
    keyed = [ask(upload, Idempotency_Key="u") for _ in range(2)]
    assert keyed[1]["Idempotent-Replayed"] == "true"
    assert ChangeSet.objects.filter(upload=None).count() == 1


def test_while_it_is_read_it_cannot_be_taken_back(take, ask):
    upload = take(read=False)
    response = ask(upload)
    assert (response.status_code, response.json()["code"]) == (409, "upload_running")
    assert response["Retry-After"] == "2"
    Upload.objects.filter(pk=upload.pk).update(status="running", claimed_until=timezone.now())
    assert ask(upload).status_code == 409
    assert not ChangeSet.objects.exists()


def test_a_file_that_failed_half_way_can_be_taken_back(take, ask, monkeypatch):
    real, calls = uploads.intake, []

    def breaks(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("a bug")
        return real(*args, **kwargs)

    monkeypatch.setattr(uploads, "intake", breaks)
    upload = take()
    assert counts(upload) == ("failed", 4, 0, 0)
    assert ask(upload).json()["status"] == "undone"
    assert outcomes() == []


def test_the_same_file_after_an_undo_records_again(take, ask):
    ask(take())
    assert counts(take()) == ("done", 10, 0, 0)
    assert counts(take()) == ("done", 0, 10, 0)
    assert outcomes() == ["converted"] * 10
    assert_sound()


def test_a_flow_that_takes_no_feedback_takes_nothing_back(take, ask, world):
    upload = take()
    world.flow.feedback_enabled = False
    world.flow.save()
    assert ask(upload).json()["code"] == "feedback_disabled"
    assert len(outcomes()) == 10


def test_a_tests_undo_records_nothing(test_api, world):
    address = f"/flows/{world.flow.public_id}/feedback/uploads"
    headers = {"X-API-Key": test_api.key}
    text = f"lead_id,outcome\n{world.delivery.public_id},converted\n"
    location = test_api.client.post(address, text, content_type="text/csv", headers=headers)["Location"]
    tasks.sweep_uploads()
    response = test_api.client.post(f"{location}/undo", headers=headers)
    assert (response.status_code, response.json()["status"]) == (200, "undone")
    assert not ChangeSet.objects.exists()


# --- By the worker ----------------------------------------------------------------------------------
def test_many_are_taken_back_by_the_worker(take, ask, by_worker, monkeypatch, api):
    upload = take()
    sent = []
    monkeypatch.setattr(undo, "hint", sent.append)
    response = ask(upload)
    address = f"/flows/{upload.flow.public_id}/feedback/uploads/{upload.public_id}"
    assert (response.status_code, response["Location"]) == (202, address)
    assert sent == [upload.pk]
    assert (response.json()["status"], response.json()["progress"]) == ("queued", 0)
    assert ask(upload).status_code == 202  # under way already
    seen, real = [], uploads.take_back

    def look(*args):
        seen.append(api.client.get(address, headers={"X-API-Key": api.key}).json())
        return real(*args)

    monkeypatch.setattr(uploads, "take_back", look)
    tasks.sweep_uploads()
    assert [(each["status"], each["progress"]) for each in seen] == [
        ("running", 0),
        ("running", 0.4),
        ("running", 0.8),
    ]
    assert counts(upload) == ("undone", 10, 0, 0)
    assert (upload.taken_back, outcomes(), Feedback.objects.count()) == (10, [], 20)
    assert ChangeSet.objects.filter(upload=None).count() == 1
    assert_sound()


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_killed_worker_takes_nothing_back_twice(take, ask, by_worker, monkeypatch, after):
    upload = take()
    ask(upload)
    real, calls = uploads.take_back, []

    def dies(*args):
        count = real(*args)
        calls.append(1)
        if len(calls) == after:
            raise KilledError
        return count

    monkeypatch.setattr(uploads, "take_back", dies)
    with pytest.raises(KilledError):
        tasks.sweep_uploads()
    upload.refresh_from_db()
    assert (upload.status, upload.taken_back) == ("running", 4 * (after - 1))
    tasks.sweep_uploads()
    assert counts(upload)[0] == "running"  # the lease has not run out
    expire(upload)
    tasks.sweep_uploads()
    assert counts(upload) == ("undone", 10, 0, 0)
    assert (upload.taken_back, Feedback.objects.count(), outcomes()) == (10, 20, [])


def test_a_fault_of_ours_can_be_tried_again(take, ask, by_worker, monkeypatch, caplog, as_user, world):
    upload = take()
    ask(upload)
    real = uploads.take_back
    monkeypatch.setattr(uploads, "take_back", lambda *args: 1 / 0)
    tasks.sweep_uploads()
    assert counts(upload)[0] == "failed"
    assert "Take back the rest again" in upload.error
    page = as_user(world.agent).get(f"/uploads/{upload.public_id}/").content.decode()
    assert "Not all of it was taken back" in page
    monkeypatch.setattr(uploads, "take_back", real)
    assert ask(upload).json()["error"] is None
    tasks.sweep_uploads()
    assert counts(upload)[0] == "undone"
    assert outcomes() == []
    assert ChangeSet.objects.filter(upload=None).count() == 1


def test_the_number_of_queries_does_not_grow_with_the_events(
    take, ask, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(uploads, "CHUNK", 500)
    upload = take()
    with django_assert_max_num_queries(26):
        assert ask(upload).status_code == 200


# --- In the portal ----------------------------------------------------------------------------------
def test_the_page_asks_then_takes_it_back(take, as_user, world, leads):
    upload = take()
    client = as_user(world.manager)
    address = f"/uploads/{upload.public_id}/undo/"
    assert f'href="{address}"' in client.get(f"/uploads/{upload.public_id}/").content.decode()
    question = client.get(address).content.decode()
    assert "recorded <strong>10</strong> pieces of feedback" in question
    assert len(outcomes()) == 10
    response = client.post(address, follow=True)
    page = response.content.decode()
    assert "The feedback of this file was taken back" in page
    assert "Taken back" in page
    assert f'href="{address}"' not in page
    assert outcomes() == []
    undone = Upload.objects.get().undo
    assert (undone.door, undone.user) == ("portal", world.manager)
    history = client.get(f"/leads/{leads[0].public_id}/").content.decode()
    assert "Took back the feedback of" in history
    assert "nothing left to take back" in client.get(address).content.decode()


def test_an_agent_takes_back_their_own_files_only(take, as_user, world):
    upload = take()
    colleague = make.MembershipFactory(buyer=world.buyer, role="buyer_agent").user
    client = as_user(colleague)
    assert "Undo this upload" not in client.get(f"/uploads/{upload.public_id}/").content.decode()
    response = client.post(f"/uploads/{upload.public_id}/undo/", follow=True)
    assert "Only who made this change, or a manager" in response.content.decode()
    assert len(outcomes()) == 10


def test_the_page_says_that_it_must_wait(take, as_user, world):
    upload = take(read=False)
    client = as_user(world.agent)
    address = f"/uploads/{upload.public_id}/undo/"
    page = client.get(address).content.decode()
    assert "still being read" in page
    assert "<form" not in page.split("<main")[1]
    assert "still being read" in client.post(address, follow=True).content.decode()
    assert counts(upload)[0] == "queued"


def test_the_page_follows_the_worker(take, as_user, world, by_worker):
    upload = take()
    client = as_user(world.agent)
    page = client.post(f"/uploads/{upload.public_id}/undo/", follow=True).content.decode()
    assert "is being taken back" in page
    assert "0 of 10 taken back" in page
    assert 'hx-trigger="every 1s"' in page
    assert "is being taken back" in client.get(f"/uploads/{upload.public_id}/undo/").content.decode()
    tasks.sweep_uploads()
    assert "no longer counts" in client.get(f"/uploads/{upload.public_id}/").content.decode()


def test_an_upload_that_recorded_nothing_offers_no_undo(world, as_user):
    file = SimpleUploadedFile("a.csv", b"lead_id,outcome\nevt_x,converted\n")
    upload = uploads.receive(world.actor(world.agent), world.flow, file)
    tasks.read_upload(upload.pk)
    page = as_user(world.agent).get(f"/uploads/{upload.public_id}/").content.decode()
    assert "Undo this upload" not in page


def test_after_the_update_window_a_mistake_can_still_be_mended(take, ask, world):
    upload = take()
    Delivery.objects.update(delivered_at=timezone.now() - dt.timedelta(days=100))
    assert ask(upload).json()["status"] == "undone"
    assert outcomes() == []
