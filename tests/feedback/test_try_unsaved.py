"""Trying what stands in a rule's form, before it is saved: on adding and on changing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from feedback import backtest_views
from flows.models import Decision, Rule
from tests import factories as make
from tests.admin_pages import faults, filled, url
from tests.flows.test_decision_page import words

NEW = {
    "name": "New <i>rule",
    "trigger": "quality",
    "metric": "average_quality",
    "comparison": "below",
    "threshold": "3",
    "min_count": "10",
    "action": "pause_source",
}


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


@pytest.fixture
def bad_days(desk):
    """Ten leads of a bad score, two days ago, and four since."""
    desk.hear(10, quality_score=1)
    desk.later(days=2)
    desk.deliver(4, days_ago=0.5)


def as_it_was() -> tuple:
    """Whatever trying may not touch."""
    rules = list(Rule.objects.order_by("pk").values())
    left_out = [list(rule.excluded_buyers.all()) for rule in Rule.objects.order_by("pk")]
    return rules, left_out, Decision.objects.count(), LogEntry.objects.count()


def typed(client: Client, flow, **values) -> dict:
    """What the form for a new rule sends, by its button."""
    sent = filled(client, url(Rule, "add"), flow=flow.pk, **{**NEW, **values})
    return {**sent, "_try": "Try on history"}


def sent_on(page) -> dict:
    """What the page of a trial would send back to the form."""
    return dict(page.context["typed"]["sent"])


def test_a_new_rule_is_tried_without_being_saved(desk, bad_days, owner):
    before = as_it_was()
    assert 'formaction="/rules/try/"' in owner.get(url(Rule, "add")).text
    page = owner.post("/rules/try/", typed(owner, desk.flow))
    assert page.status_code == 200
    told = words(page)
    assert "It would have fired once in the 90 days" in told
    assert "New <i>rule" in told  # as a text
    assert "<i>rule" not in page.text
    assert "It is not saved" in told
    assert "Leads not bought" in told
    assert as_it_was() == before


def test_a_changed_rule_is_tried_as_it_is_typed_not_as_it_is_stored(desk, bad_days, owner):
    rule = desk.rule(name="Stored", threshold=Decimal("1.0"), enabled=False)
    before, address = as_it_was(), url(rule, "change")
    assert f'formaction="/rules/{rule.pk}/try/"' in owner.get(address).text
    for threshold, told in (("3", "It would have fired once"), ("1", "It would not have fired")):
        page = owner.post(f"/rules/{rule.pk}/try/", filled(owner, address, threshold=threshold, _try="1"))
        assert told in words(page), threshold
    assert as_it_was() == before


def test_the_buyers_who_are_ticked_are_left_out(desk, bad_days, owner, world):
    stored = desk.rule(enabled=False)
    for sent, told in (
        (typed(owner, desk.flow, excluded_buyers=[world.buyer.pk]), "It would not have fired"),
        (typed(owner, desk.flow), "It would have fired once"),
    ):
        assert told in words(owner.post("/rules/try/", sent))
    stored.excluded_buyers.set([world.buyer])
    address = url(stored, "change")
    page = owner.post(f"/rules/{stored.pk}/try/", filled(owner, address, excluded_buyers=None))
    assert "It would have fired once" in words(page)
    assert list(stored.excluded_buyers.all()) == [world.buyer]


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("step_cap", {"param_percentage": "-20", "param_min": "1", "param_max": "100"}),
        ("set_price_adjustment", {"param_value": "1.2"}),
        ("suppress_source", {"param_list": "bad-sources"}),
        ("bonus", {"param_amount": "5"}),
        ("alert", {}),
        ("pause_source", {"scope": "source_buyer", "on_clear": "reverse"}),
        ("pause_source", {"evidence": "confident"}),
    ],
)
def test_every_action_can_be_tried(desk, bad_days, owner, action, more):
    desk.flow.seller.suppression_lists.create(name="Bad Sources", slug="bad-sources")
    desk.source.daily_cap = 50
    desk.source.save()
    page = owner.post("/rules/try/", typed(owner, desk.flow, action=action, **more))
    assert page.status_code == 200
    assert page.context["result"].firings
    assert not Rule.objects.exists()


def test_a_rule_on_each_feedback_too(desk, owner):
    desk.flow.seller.suppression_lists.create(name="Returns", slug="returns")
    desk.hear(2, outcome="returned")
    more = {
        "trigger": "feedback",
        "outcome": "returned",
        "action": "suppress_contact",
        "param_list": "returns",
    }
    page = owner.post("/rules/try/", typed(owner, desk.flow, metric="", comparison="", threshold="", **more))
    assert page.context["result"].firings
    assert not Rule.objects.exists()


def test_back_in_the_form_all_stands_as_it_was_typed_and_is_still_not_saved(desk, bad_days, owner, world):
    sent = typed(owner, desk.flow, excluded_buyers=[world.buyer.pk], threshold="3.0")
    page = owner.post("/rules/try/", sent)
    back = {**sent_on(page), "_try": "1"}
    assert f'action="{url(Rule, "add")}"' in page.text
    form = owner.post(page.context["typed"]["form_url"], back)
    assert form.status_code == 200
    assert faults(form) == {}
    assert "It is not saved yet" in form.text
    bound = form.context["adminform"].form
    assert (bound["name"].value(), bound["threshold"].value()) == ("New <i>rule", "3.0")
    assert bound["excluded_buyers"].value() == [str(world.buyer.pk)]
    assert 'formaction="/rules/try/"' in form.text
    assert not Rule.objects.exists()


def test_from_the_trial_it_can_be_saved(desk, bad_days, owner):
    page = owner.post("/rules/try/", typed(owner, desk.flow))
    assert owner.post(page.context["typed"]["form_url"], {**sent_on(page), "_save": "1"}).status_code == 302
    assert Rule.objects.get().name == "New <i>rule"


def test_other_days_are_asked_with_what_was_typed(desk, bad_days, owner):
    page = owner.post("/rules/try/", typed(owner, desk.flow))
    again = owner.post("/rules/try/", {**sent_on(page), "days": "30"})
    assert "It would have fired once in the 30 days" in words(again)
    assert sent_on(again) == sent_on(page)


@pytest.mark.parametrize("stored", [False, True])
def test_a_form_with_errors_is_shown_with_them(desk, owner, stored):
    rule = desk.rule(name="Stored", enabled=False) if stored else None
    before = as_it_was()
    form_url = url(rule, "change") if rule else url(Rule, "add")
    address = f"/rules/{rule.pk}/try/" if rule else "/rules/try/"
    for without_button in (False, True):  # also where the button's own name does not come along
        sent = {**typed(owner, desk.flow, threshold="much"), "name": "Kept name"}
        if without_button:
            del sent["_try"]
        page = owner.post(address, sent)
        assert set(faults(page)) == {"threshold"}
        assert "Kept name" in page.text
        assert f'action="{form_url}"' in page.text  # where it is saved once it is right
        assert f'formaction="{address}"' in page.text
    assert as_it_was() == before


def test_wherever_the_button_is_sent_nothing_is_saved(desk, owner):
    rule = desk.rule(name="Stored", enabled=False)
    before = as_it_was()
    for address in (url(Rule, "add"), url(rule, "change")):
        assert owner.post(address, {**typed(owner, desk.flow), "_save": "1"}).status_code == 200
    assert as_it_was() == before


def test_another_sellers_flow_buyers_and_rules_are_not_there(desk, owner, other_world):
    flow = typed(owner, other_world.flow)
    assert set(faults(owner.post("/rules/try/", flow))) == {"flow"}
    buyer = typed(owner, desk.flow, excluded_buyers=[other_world.buyer.pk])
    assert set(faults(owner.post("/rules/try/", buyer))) == {"excluded_buyers"}
    theirs = Rule.objects.create(flow=other_world.flow, name="Theirs", action="pause_source")
    answer = owner.post(f"/rules/{theirs.pk}/try/", typed(owner, desk.flow))
    assert (answer.status_code, "Theirs" in answer.text) == (404, False)


def test_only_owners_try_what_only_they_can_save(desk, world, as_user):
    rule = desk.rule(enabled=False)
    sent = typed(as_user(world.owner), desk.flow)
    for address in ("/rules/try/", f"/rules/{rule.pk}/try/"):
        assert as_user(world.analyst).post(address, sent).status_code == 403
        assert as_user(world.manager).post(address, sent).status_code == 404
        assert as_user(world.owner).get(address).status_code == 405
    assert "formaction" not in as_user(world.analyst).get(url(rule, "change")).text


def test_it_is_refused_without_its_token(desk, world):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.owner)
    assert strict.post("/rules/try/", NEW).status_code == 403


def test_more_than_a_form_has_is_refused(desk, owner, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
    sent = {**typed(owner, desk.flow), **{f"more-{n}": "x" for n in range(60)}}
    assert owner.post("/rules/try/", sent).status_code == 400


def test_only_the_forms_own_inputs_are_sent_on(desk, owner):
    page = owner.post("/rules/try/", {**typed(owner, desk.flow), "more": "x" * 1000})
    assert "more" not in sent_on(page)
    assert "csrfmiddlewaretoken" not in sent_on(page)


def test_too_much_says_what_to_do(desk, bad_days, owner, monkeypatch):
    monkeypatch.setattr(backtest_views, "MOST", 1)
    told = words(owner.post("/rules/try/", typed(owner, desk.flow)))
    assert "Choose fewer days, or save it switched off" in told
    assert "manage.py" not in told


def test_the_number_of_queries_does_not_grow(desk, bad_days, owner, django_assert_max_num_queries):
    sent = typed(owner, desk.flow)
    for _ in range(2):
        with django_assert_max_num_queries(25):
            owner.post("/rules/try/", sent)
        for _ in range(5):
            make.SourceFactory(flow=desk.flow)
        desk.hear(20, quality_score=1)
