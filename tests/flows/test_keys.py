"""Keys: shown once, refused without a query when mistyped, revoked at once, rotated with overlap."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from flows import keys
from flows.models import ApiKey, Delivery, Flow
from flows.problems import ProblemError
from portal.access import visible_to
from tests import factories as make

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def refusal(text: str, **more) -> str:
    with pytest.raises(ProblemError) as caught:
        keys.authenticate(text, **more)
    assert caught.value.problem.status == 401
    assert "WWW-Authenticate" in caught.value.problem.headers
    return caught.value.problem.code


@pytest.mark.parametrize(("livemode", "mode"), [(True, "live"), (False, "test")])
def test_a_key_names_its_mode_and_opens_its_party(world, livemode, mode):
    key, text = keys.issue(name="CRM", buyer=world.buyer, livemode=livemode)
    assert re.fullmatch(rf"ll_{mode}_[0-9A-Za-z]{{8}}_[0-9A-Za-z]{{38}}", text)
    found, actor = keys.authenticate(text)
    assert found == key
    assert (actor.side, actor.party_id, actor.key_id, actor.flow_ids) == (
        "buyer",
        world.buyer.pk,
        key.pk,
        None,
    )


def test_the_database_does_not_hold_the_key(world):
    key, text = keys.issue(name="CRM", seller=world.seller)
    secret = text.rsplit("_", 1)[1]
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert not any(secret in str(value) for value in row.values())
    assert text.startswith(row["prefix"] + "_")


@pytest.mark.parametrize("wrong", ["", "x", "ll_live_", "ll_live_abcdefgh_" + "0" * 38, "ll_live_é"])
def test_no_key_at_all_is_refused_without_a_query(db, wrong, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert refusal(wrong) == "invalid_api_key"


def test_a_mistyped_key_is_refused_without_a_query(world, django_assert_num_queries):
    _, text = keys.issue(name="CRM", buyer=world.buyer)
    for position in range(8, len(text)):
        other = "a" if text[position] != "a" else "b"
        with django_assert_num_queries(0):
            assert refusal(text[:position] + other + text[position + 1 :]) == "invalid_api_key"


def test_a_right_prefix_with_another_secret_tells_nothing(world):
    key, text = keys.issue(name="CRM", buyer=world.buyer)
    keys.revoke(key)
    body = f"{key.prefix}_{'0' * 32}"
    assert refusal(body + keys._checksum(body)) == "invalid_api_key"
    assert refusal(text) == "revoked_api_key"


def test_an_expired_key(world):
    _, text = keys.issue(name="CRM", buyer=world.buyer, expires_at=NOW)
    assert keys.authenticate(text, now=NOW - dt.timedelta(seconds=1))
    assert refusal(text, now=NOW) == "expired_api_key"


def test_revoking_holds_at_once_and_keeps_its_first_time(world):
    key, text = keys.issue(name="CRM", buyer=world.buyer)
    keys.revoke(key, now=NOW)
    keys.revoke(key, now=NOW + dt.timedelta(days=1))
    assert key.revoked_at == NOW
    assert refusal(text) == "revoked_api_key"


def test_rotation_lets_both_keys_work_for_the_overlap(world):
    old, old_text = keys.issue(name="CRM", buyer=world.buyer, flows=[world.flow])
    new, new_text = keys.rotate(old, overlap=dt.timedelta(days=7), now=NOW)
    later = NOW + dt.timedelta(days=7)
    assert keys.authenticate(old_text, now=later - dt.timedelta(seconds=1))[1].party_id == world.buyer.pk
    assert refusal(old_text, now=later) == "expired_api_key"
    assert keys.authenticate(new_text, now=later)[1].flow_ids == {world.flow.pk}
    old.refresh_from_db()
    assert (old.replaced_by, old.expires_at, new.name, new.livemode) == (new, later, "CRM", True)


def test_rotation_does_not_prolong_a_key(world):
    end = NOW + dt.timedelta(hours=1)
    old, _ = keys.issue(name="CRM", buyer=world.buyer, expires_at=end)
    new, _ = keys.rotate(old, now=NOW)
    old.refresh_from_db()
    assert (old.expires_at, new.expires_at) == (end, end)


def test_a_key_is_rotated_once(world):
    key, _ = keys.issue(name="CRM", buyer=world.buyer)
    stale = ApiKey.objects.get(pk=key.pk)
    keys.rotate(key, now=NOW)
    with pytest.raises(ValidationError):
        keys.rotate(stale, now=NOW)
    assert ApiKey.objects.filter(buyer=world.buyer).count() == 2


def test_last_used_is_written_at_most_once_a_minute(world, django_assert_num_queries):
    key, text = keys.issue(name="CRM", buyer=world.buyer)
    start = timezone.now().replace(microsecond=0)
    for seconds, expected in [(0, 0), (59, 0), (60, 60), (61, 60)]:
        keys.authenticate(text, now=start + dt.timedelta(seconds=seconds))
        key.refresh_from_db()
        assert key.last_used_at == start + dt.timedelta(seconds=expected)
    with django_assert_num_queries(2):  # the key with its party, and its flows
        keys.authenticate(text, now=start + dt.timedelta(seconds=62))


def test_another_secret_key_closes_the_keys_unless_the_old_one_is_kept_as_fallback(world, settings):
    _, text = keys.issue(name="CRM", buyer=world.buyer)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another secret key of the installation"
    assert refusal(text) == "invalid_api_key"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert keys.authenticate(text)


def test_a_key_belongs_to_one_party_and_opens_only_its_sellers_flows(world, other_world):
    with pytest.raises(ValidationError):
        keys.issue(name="Nobody's")
    with pytest.raises(ValidationError):
        keys.issue(name="Both's", seller=world.seller, buyer=world.buyer)
    with pytest.raises(ValidationError):
        keys.issue(name="Stranger's", buyer=world.buyer, flows=[other_world.flow])
    assert not ApiKey.objects.exists()


def test_a_limited_key_opens_nothing_once_its_flow_is_gone(world):
    flow = make.FlowFactory(seller=world.seller)
    key, text = keys.issue(name="Router", seller=world.seller, flows=[flow])
    assert keys.authenticate(text)[1].flow_ids == {flow.pk}
    flow.delete()
    _, actor = keys.authenticate(text)
    assert actor.flow_ids == frozenset()
    assert not visible_to(actor, Flow.objects.all()).exists()
    assert not visible_to(actor, Delivery.objects.all()).exists()
    _, replacement = keys.rotate(key)
    assert keys.authenticate(replacement)[1].flow_ids == frozenset()


def test_a_limited_key_whose_list_was_emptied_opens_nothing(world):
    key, text = keys.issue(name="CRM", buyer=world.buyer, flows=[world.flow])
    key.flows.clear()
    assert keys.authenticate(text)[1].flow_ids == frozenset()
