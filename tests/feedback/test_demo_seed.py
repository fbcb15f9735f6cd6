"""Seeding the demo world: exact, once, all or nothing, and true to the invariants."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from feedback.demo import world
from feedback.demo.replay import Replay
from feedback.models import Feedback, StaleMark
from flows import keys
from flows.models import Alert, Delivery, OutboxMessage
from portal import demo_card
from portal.models import Membership, Seller, User


@pytest.fixture
def small_world(monkeypatch, settings, tmp_path):
    """Twelve days, 480 deliveries."""
    monkeypatch.setattr(world, "DAYS", 12)
    monkeypatch.setattr(world, "DELIVERIES", 480)
    settings.VAR_DIR = tmp_path
    settings.BASE_URL = "http://127.0.0.1:8123"


def seed() -> None:
    call_command("seed_demo", verbosity=0)


def test_the_world_is_made_by_the_code_that_serves_real_data(db, small_world):
    seed()
    assert Delivery.objects.count() == 480
    assert Feedback.objects.count() > 200
    assert not StaleMark.objects.exists()
    assert not Delivery.objects.filter(delivered_at__gt=now()).exists()
    assert Delivery.objects.earliest("delivered_at").delivered_at > now() - dt.timedelta(days=12, minutes=5)
    call_command("verify", verbosity=0)  # exits with 1 when an invariant does not hold


def test_the_card_names_everybody(db, small_world):
    seed()
    card = json.loads(demo_card.path().read_text())
    assert list(card) == ["base_url", "admin", "sellers", "buyers"]
    assert card["base_url"] == "http://127.0.0.1:8123"
    assert [set(seller) for seller in card["sellers"]] == [
        {"name", "username", "password", "key", "flows"}
    ] * 2
    assert [set(buyer) for buyer in card["buyers"]] == [
        {"name", "id", "username", "password", "key", "test_key", "flows", "leads"}
    ] * 6
    accounts = [card["admin"], *card["sellers"], *card["buyers"]]
    assert all(
        User.objects.get(username=each["username"]).check_password(each["password"]) for each in accounts
    )
    assert Membership.objects.count() == 2 * 2 + 6 * 2
    for buyer in card["buyers"]:
        live, test = (keys.authenticate(buyer[name])[0] for name in ("key", "test_key"))
        assert (live.livemode, test.livemode) == (True, False)
        assert live.buyer.public_id == buyer["id"]


def test_the_leads_of_the_examples_await_feedback_but_one_is_missing(db, small_world):
    seed()
    examples = Delivery.objects.filter(public_id__in=["evt_abc123", "evt_123", "evt_124", "evt_125"])
    assert set(examples.values_list("public_id", "buyer__slug", "flow__public_id", "feedback_count")) == {
        (each, "alpine", "flw_auto", 0) for each in ("evt_abc123", "evt_123", "evt_124")
    }
    assert json.loads(demo_card.path().read_text())["buyers"][0]["leads"][0] == "evt_abc123"


def test_mails_of_the_past_are_not_sent_today(db, small_world):
    seed()
    assert not OutboxMessage.objects.filter(status="pending").exists()
    for seller in Seller.objects.all():
        assert Alert.objects.filter(seller=seller, read_at=None).count() <= 2


def test_a_second_seeding_changes_nothing(db, small_world, capsys):
    seed()
    before = demo_card.path().read_text()
    seed()
    assert Delivery.objects.count() == 480
    assert demo_card.path().read_text() == before


def test_a_database_with_sellers_of_its_own_is_left_alone(world, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    seed()
    assert Seller.objects.count() == 1
    assert not demo_card.path().exists()


def test_an_interrupted_seeding_leaves_no_trace(db, small_world, monkeypatch):
    whole_day = Replay.day

    def interrupted(self, number):
        if number == 5:
            raise KeyboardInterrupt
        whole_day(self, number)

    monkeypatch.setattr(Replay, "day", interrupted)
    with pytest.raises(KeyboardInterrupt):
        seed()
    assert not Seller.objects.exists()
    assert not demo_card.path().exists()
