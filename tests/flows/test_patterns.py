"""The rules of the usual patterns, added to a flow by hand."""

from __future__ import annotations

import pytest

from flows.models import Rule
from flows.rule_sets import PATTERNS, RULES, add_rules
from tests.admin_pages import url


def add(client, world, **answers):
    return client.post(url(world.flow, "pattern"), answers, follow=True)


@pytest.mark.parametrize("name", PATTERNS)
def test_every_rule_of_a_pattern_can_be_carried_out(name, world):
    for rule in add_rules(world.flow, PATTERNS[name].rules):
        rule.full_clean()


def test_a_pattern_is_added_switched_off_after_the_others(world, as_user):
    add_rules(world.flow, RULES)
    answer = add(as_user(world.owner), world, pattern="quality_focus")
    assert "Added “Bonus high-quality sources”, switched off" in answer.text
    assert "1 of the pattern was there already" in answer.text
    bonus = Rule.objects.get(name="Bonus high-quality sources")
    assert (bonus.enabled, bonus.position) == (False, len(RULES))
    assert Rule.objects.filter(name="Pause low quality").count() == 1


def test_it_may_begin_at_once(world, as_user):
    add(as_user(world.owner), world, pattern="full_revenue", enabled="on")
    assert set(Rule.objects.values_list("enabled", flat=True)) == {True}
    assert "Nothing was added" in add(as_user(world.owner), world, pattern="full_revenue").text


def test_the_page_asks_which(world, as_user):
    client = as_user(world.owner)
    assert url(world.flow, "pattern") in client.get(url(world.flow, "change")).text
    page = client.get(url(world.flow, "pattern")).text
    for pattern in PATTERNS.values():
        assert pattern.label in page
    assert "This field is required" in client.post(url(world.flow, "pattern"), {}).text
    assert not Rule.objects.exists()
