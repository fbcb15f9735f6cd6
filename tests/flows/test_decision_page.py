"""The decisions page: what rules did, why, and taking it back."""

from __future__ import annotations

import html
import re

import pytest
from django.utils import timezone

from flows.models import Decision, Rule, Source, SuppressionEntry, SuppressionList
from portal.models import User
from tests import factories as make
from tests.admin_pages import filled, url
from tests.flows.test_source_changes import UP
from tests.flows.test_source_changes import decide as stepped

NUMBERS = {
    "metric": "average_quality",
    "value": 2.7,
    "low": 2.5,
    "high": 2.9,
    "count": 412,
    "comparison": "below",
    "threshold": 3.0,
    "window_days": 30,
    "to": "2026-03-14",
}


def words(response) -> str:
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(html.unescape(text).split())


def make_decision(world, **more) -> Decision:
    rule, _ = Rule.objects.get_or_create(
        flow=world.flow,
        name="Pause low quality",
        action="pause_source",
        defaults={"metric": "average_quality"},
    )
    return Decision.objects.create(
        **{
            "flow": world.flow,
            "rule": rule,
            "rule_name": rule.name,
            "source": world.source,
            "evaluation": str(Decision.objects.count()),
            "action": "pause_source",
            "numbers": NUMBERS,
            "before": {"status": "active", "status_reason": ""},
            "after": {"status": "paused", "status_reason": "Quality 2.7"},
            **more,
        }
    )


@pytest.fixture
def decision(world) -> Decision:
    """The source was paused by a rule, and is."""
    world.source.status, world.source.status_reason = "paused", "Quality 2.7"
    world.source.save()
    return make_decision(world)


def test_a_decision_is_told_with_its_numbers_and_what_it_changed(world, as_user, decision):
    text = words(as_user(world.owner).get("/decisions/"))
    assert f"{world.source.name} paused" in text
    assert "Average quality 2.7 (95 %: 2.5–2.9) on 412 scores in the 30 days to 14 Mar is below 3.0" in text
    assert "Active → Paused" in text
    assert "Pause low quality" in text
    assert "Applied" in text


def test_rules_and_sources_of_one_name_are_told_apart_by_their_flows(world, as_user, decision):
    other = make.FlowFactory(seller=world.seller)
    make.SourceFactory(flow=other, name=world.source.name)
    Rule.objects.create(flow=other, name="Pause low quality", action="pause_source", metric="average_quality")
    text = words(as_user(world.owner).get("/decisions/"))
    for flow in (world.flow, other):
        assert f"Pause low quality · {flow.name}" in text
        assert f"{world.source.name} · {flow.name}" in text


@pytest.mark.parametrize(
    ("action", "before", "after", "said"),
    [
        ("step_cap", {"daily_cap": 1000}, {"daily_cap": 1200}, "1,000 a day → 1,200 a day"),
        (
            "set_price_adjustment",
            {"price_adjustment": "1.0000"},
            {"price_adjustment": "1.2"},
            "× 1.00 → × 1.20",
        ),
        ("suppress_source", {}, {"list": "bad-sources", "added": ["source"]}, "on “bad-sources”, source"),
        ("alert", {}, {"alert": True}, "team alerted"),
    ],
)
def test_every_kind_of_change_is_said_in_words(world, as_user, action, before, after, said):
    make_decision(world, action=action, before=before, after=after)
    assert said in words(as_user(world.owner).get("/decisions/"))


def test_undoing_asks_first_and_then_puts_back_what_stood(world, as_user, decision):
    client = as_user(world.owner)
    asked = client.get(f"/decisions/{decision.pk}/undo/")
    assert asked.status_code == 200
    world.source.refresh_from_db()
    assert world.source.status == "paused"  # asking changes nothing
    answer = client.post(f"/decisions/{decision.pk}/undo/", follow=True)
    assert answer.redirect_chain == [("/decisions/", 302)]
    assert f"Undone: {world.source.name} paused." in words(answer)
    world.source.refresh_from_db()
    decision.refresh_from_db()
    assert (world.source.status, world.source.status_reason) == ("active", "")
    assert (decision.status, decision.undone_by) == ("undone", world.owner)
    assert f"Undone by {world.owner.username}" in words(client.get("/decisions/"))


def test_what_was_changed_since_is_shown_and_asked_about(world, as_user, decision):
    world.source.status_reason = "Paused by hand"
    world.source.save()
    client = as_user(world.owner)
    answer = client.post(f"/decisions/{decision.pk}/undo/")
    assert answer.status_code == 409
    assert "It has been changed since" in words(answer)
    assert "Paused by hand" in words(answer)
    world.source.refresh_from_db()
    assert world.source.status == "paused"
    assert b'name="force" value="1"' in answer.content
    client.post(f"/decisions/{decision.pk}/undo/", {"force": "1"})
    world.source.refresh_from_db()
    assert world.source.status == "active"


def test_what_came_in_between_is_told_with_who_and_when_though_the_values_are_the_same(world, as_user):
    """A rule stepped the cap from 100 to 80; a person set 90, then 80 again."""
    Source.objects.update(daily_cap=100)
    decision = stepped(world)
    User.objects.filter(pk=world.owner.pk).update(first_name="Ana", last_name="Lee")
    client, page = as_user(world.owner), url(world.source, "change")
    for cap in ("90", "80"):
        assert client.post(page, filled(client, page, daily_cap=cap)).status_code == 302
    for answer, status in (
        (client.get(f"/decisions/{decision.pk}/undo/"), 200),
        (client.post(f"/decisions/{decision.pk}/undo/"), 409),
    ):
        assert answer.status_code == status
        told = words(answer)
        assert "It has been changed since" in told
        assert f"stands at “{decision.after['daily_cap']} a day” again, but not because of this" in told
        assert re.search(r"80 a day → 90 a day Ana Lee, by hand .* 90 a day → 80 a day Ana Lee, by ha", told)
        assert f"{timezone.now():%Y}" in told.split("90 a day → 80 a day")[1]
        assert b'name="force" value="1"' in answer.content
    assert Source.objects.get().daily_cap == 80
    client.post(f"/decisions/{decision.pk}/undo/", {"force": "1"})
    assert Source.objects.get().daily_cap == 100


def test_another_rules_changes_in_between_are_told_with_their_decisions(world, as_user):
    Source.objects.update(daily_cap=100)
    decision = stepped(world)
    down, up = stepped(world, rule="Other"), stepped(world, params=UP, rule="Third")
    answer = as_user(world.owner).post(f"/decisions/{decision.pk}/undo/")
    told = words(answer)
    assert re.search(r"80 a day → 64 a day the rule “Other” .* 64 a day → 80 a day the rule “Third”", told)
    for each in (down, up):
        assert f'href="/decisions/{each.pk}/"'.encode() in answer.content


def test_asking_is_not_alarmed_where_nothing_came_in_between(world, as_user):
    Source.objects.update(daily_cap=100)
    answer = as_user(world.owner).get(f"/decisions/{stepped(world).pk}/undo/")
    assert "changed since" not in words(answer)
    assert b'name="force"' not in answer.content


def test_undoing_twice_changes_nothing_more(world, as_user, decision):
    client = as_user(world.owner)
    client.post(f"/decisions/{decision.pk}/undo/")
    world.source.status = "paused"
    world.source.save()
    assert "There is nothing left to take back" in words(client.get(f"/decisions/{decision.pk}/undo/"))
    client.post(f"/decisions/{decision.pk}/undo/")
    world.source.refresh_from_db()
    assert world.source.status == "paused"


def test_undoing_a_suppression_takes_the_entries_off_the_list(world, as_user):
    listed = SuppressionList.objects.create(seller=world.seller, name="Bad Sources", slug="bad-sources")
    decision = make_decision(
        world, action="suppress_source", before={}, after={"list": "bad-sources", "added": ["source"]}
    )
    SuppressionEntry.objects.create(list=listed, kind="source", value="x/y", decision=decision)
    as_user(world.owner).post(f"/decisions/{decision.pk}/undo/")
    assert not listed.entries.exists()


def test_an_alert_that_went_out_cannot_be_taken_back(world, as_user):
    decision = make_decision(world, action="alert", before={}, after={"alert": True})
    client = as_user(world.owner)
    assert f"/decisions/{decision.pk}/undo/" not in client.get("/decisions/").content.decode()
    assert "cannot be called back" in words(client.post(f"/decisions/{decision.pk}/undo/", follow=True))


def test_an_analyst_sees_but_does_not_undo(world, as_user, decision):
    client = as_user(world.analyst)
    page = client.get("/decisions/")
    assert page.status_code == 200
    assert f"/decisions/{decision.pk}/undo/" not in page.content.decode()
    assert client.get(f"/decisions/{decision.pk}/undo/").status_code == 403
    assert client.post(f"/decisions/{decision.pk}/undo/").status_code == 403
    decision.refresh_from_db()
    assert decision.status == "applied"


def test_another_sellers_decisions_do_not_exist(world, other_world, as_user, decision):
    client = as_user(other_world.owner)
    assert world.source.name not in words(client.get("/decisions/"))
    assert client.get(f"/decisions/{decision.pk}/undo/").status_code == 404
    assert client.post(f"/decisions/{decision.pk}/undo/").status_code == 404
    decision.refresh_from_db()
    assert decision.status == "applied"


def test_buyers_and_strangers_have_no_such_page(world, as_user, client, decision):
    for path in ("/decisions/", f"/decisions/{decision.pk}/undo/"):
        assert client.get(path).status_code == 302
        assert as_user(world.manager).get(path).status_code == 404


def test_decisions_are_found_by_flow_source_rule_action_and_status(world, as_user, decision):
    other = make.SourceFactory(flow=make.FlowFactory(seller=world.seller), name="Elsewhere")
    make_decision(
        world,
        flow=other.flow,
        source=other,
        rule=None,
        rule_name="Old rule",
        action="step_cap",
        status="undone",
        before={"daily_cap": 10},
        after={"daily_cap": 12},
    )
    client = as_user(world.owner)
    assert "1–2 of 2 decisions" in words(client.get("/decisions/"))
    for query in (
        f"flow={world.flow.public_id}",
        f"source={world.source.pk}",
        f"rule={decision.rule_id}",
        "action=pause_source",
        "status=applied",
    ):
        text = words(client.get(f"/decisions/?{query}"))
        assert "1–1 of 1 decisions" in text, query
        assert "Elsewhere: cap" not in text


def test_a_filter_knows_only_what_its_asker_may_see(world, other_world, as_user, decision):
    client = as_user(world.owner)
    answers = [
        client.get(f"/decisions/?flow={value}") for value in (other_world.flow.public_id, "flw_unknown")
    ]
    texts = {words(answer).replace(other_world.flow.public_id, "flw_unknown") for answer in answers}
    assert len(texts) == 1
    assert f">{other_world.flow.name}<" not in answers[0].content.decode()


def test_a_name_is_text_and_never_markup(world, as_user, decision):
    world.source.name = "<img src=x hx-get=/alerts/>"
    world.source.save()
    assert b"<img" not in as_user(world.owner).get("/decisions/").content
    assert b"<img" not in as_user(world.owner).get(f"/decisions/{decision.pk}/undo/").content


def test_times_are_the_persons_own(world, as_user, decision):
    User.objects.filter(pk=world.owner.pk).update(timezone="Asia/Tokyo")
    Decision.objects.update(decided_at="2026-03-14T20:15:00Z")
    assert "decided 15 Mar, 05:15" in words(as_user(world.owner).get(f"/decisions/{decision.pk}/undo/"))


def test_the_number_of_queries_does_not_grow(world, as_user, django_assert_max_num_queries):
    for _ in range(30):
        delivery = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
        make_decision(
            world,
            delivery=delivery,
            action="suppress_contact",
            numbers={"outcome": "returned", "lead_id": delivery.public_id},
            before={},
            after={"list": "returns", "added": ["email", "phone"]},
        )
    client = as_user(world.owner)
    with django_assert_max_num_queries(12):
        assert "1–30 of 30 decisions" in words(client.get("/decisions/?about=contacts"))


def test_no_decisions_yet_says_what_would_be_here(world, as_user):
    assert "No rule has decided anything yet" in words(as_user(world.owner).get("/decisions/"))


def test_contacts_do_not_bury_the_sources(world, as_user, decision):
    make_decision(
        world,
        rule_name="Suppress returned contacts",
        action="suppress_contact",
        delivery=world.delivery,
        numbers={"outcome": "returned", "lead_id": world.delivery.public_id},
        after={"list": "returns", "added": ["email"]},
    )
    client, contact = as_user(world.owner), "Contact of"
    assert contact not in words(client.get("/decisions/"))
    assert contact in words(client.get("/decisions/?about=contacts"))
    for query in ("about=", "about=sources&action=suppress_contact"):
        assert contact in words(client.get(f"/decisions/?{query}"))
    assert decision.rule_name in words(client.get("/decisions/?about="))
