"""Where a rule looks: at a source, at a source with each buyer, without some buyers, at all buyers alike."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows import keys
from flows.intake import LeadIn, take_leads
from flows.models import Alert, Decision, IntakeRefusal, SourceBuyer
from tests import factories as make
from tests.admin_pages import url
from tests.flows.conftest import Api

PAIR = {"scope": "source_buyer"}


def sell(desk, buyer, number=1):
    lead = LeadIn(desk.source.slug, buyer.slug, {"email": f"n{number}@example.org"})
    return take_leads(desk.flow, [lead], now=desk.now)[0]


@pytest.fixture
def grumbler(desk):
    """A buyer who finds every lead bad, beside one who is content."""
    buyer = desk.other_buyer("Grumbler")
    desk.hear(20, quality_score=5)
    return buyer


# --- A source with each buyer ---------------------------------------------------------------------------


def test_one_buyers_grudge_pauses_the_source_for_them_alone(desk, grumbler):
    desk.rule(**PAIR, alert=True)
    desk.hear(20, buyer=grumbler, quality_score=1)
    (decision,) = desk.decisions()
    assert (decision.source, decision.buyer) == (desk.source, grumbler)
    assert decision.numbers["buyer"] == "Grumbler"
    assert (decision.numbers["value"], decision.numbers["count"]) == (1.0, 20)
    assert desk.stands()[0] == "active"
    pair = SourceBuyer.objects.get()
    assert (pair.buyer, pair.status) == (grumbler, "paused")
    assert pair.status_reason.startswith("Average quality with Grumbler 1.0")
    assert Alert.objects.get().title == f"{desk.source} paused for Grumbler"


def test_intake_refuses_that_buyers_leads_at_once_and_no_others(desk, grumbler):
    desk.rule(**PAIR)
    desk.hear(20, buyer=grumbler, quality_score=1)
    refused, sold = sell(desk, grumbler), sell(desk, desk.buyer)
    assert (refused.outcome, refused.reason) == ("failure", "source_paused")
    assert sold.outcome == "success"
    assert IntakeRefusal.objects.get().reason == "source_paused"


def test_routers_are_told_for_whom_it_is_paused(desk, grumbler):
    api = Api(keys.issue(name="Router", seller=desk.flow.seller)[1])
    path = f"/flows/{desk.flow.public_id}/routing/{desk.source.slug}"
    before = api.get(path)
    desk.rule(**PAIR)
    desk.hear(20, buyer=grumbler, quality_score=1)
    after = api.get(path, headers={"If-None-Match": before["ETag"]})
    assert before.json()["paused_for"] == []
    assert after.status_code == 200
    assert (after.json()["status"], after.json()["paused_for"]) == ("active", [grumbler.public_id])
    assert api.get(path, headers={"If-None-Match": after["ETag"]}).status_code == 304


def test_the_sources_page_says_for_whom_and_why(desk, grumbler, world, as_user):
    desk.rule(**PAIR)
    desk.hear(20, buyer=grumbler, quality_score=1)
    page = as_user(world.owner).get(url(desk.source, "change")).text
    assert "Grumbler: Average quality with Grumbler 1.0" in page


def test_each_buyer_is_decided_on_by_itself_in_one_look(desk, grumbler):
    desk.rule(**PAIR, cooldown_hours=0)
    third = desk.other_buyer("Third")
    for buyer in (grumbler, third):
        desk.report(desk.deliver(12, buyer=buyer), quality_score=2)
    desk.recompute()
    assert {decision.buyer for decision in desk.decisions()} == {grumbler, third}
    assert len({decision.evaluation for decision in desk.decisions()}) == 2


def test_a_cool_down_is_each_pairs_own(desk, grumbler):
    desk.rule(**PAIR)
    desk.hear(12, buyer=grumbler, quality_score=1)
    third = desk.other_buyer("Third")
    desk.hear(12, buyer=third, quality_score=1)
    assert [decision.buyer for decision in desk.decisions()] == [grumbler, third]


def test_a_pair_is_undone_exactly_and_what_changed_since_is_said(desk, grumbler, world, as_user):
    desk.rule(**PAIR)
    desk.hear(20, buyer=grumbler, quality_score=1)
    (decision,) = desk.decisions()
    client = as_user(world.owner)
    SourceBuyer.objects.update(status_reason="By contract")
    answer = client.post(f"/decisions/{decision.pk}/undo/")
    assert (answer.status_code, SourceBuyer.objects.get().status) == (409, "paused")
    assert "By contract" in answer.content.decode()
    client.post(f"/decisions/{decision.pk}/undo/", {"force": "1"})
    pair = SourceBuyer.objects.get()
    assert (pair.status, pair.status_reason) == ("active", "")
    assert sell(desk, grumbler).outcome == "success"


def test_a_rule_resumes_a_pair_that_a_rule_paused(desk, grumbler):
    desk.rule(**PAIR)
    desk.rule(**PAIR, comparison="above", threshold=Decimal("3.5"), action="resume_source")
    rows = desk.hear(20, buyer=grumbler, quality_score=1)
    desk.later(hours=2)
    desk.report(rows, quality_score=4)
    desk.recompute()
    assert [each.action for each in desk.decisions(buyer=grumbler)] == ["pause_source", "resume_source"]
    assert SourceBuyer.objects.get().status == "active"


def test_an_alert_about_a_pair_names_both(desk, grumbler):
    desk.rule(**PAIR, action="alert", params={"message": "look"})
    desk.hear(20, buyer=grumbler, quality_score=1)
    assert Alert.objects.get().title == f"{desk.source} with Grumbler: look"


# --- Buyers who do not count, buyers who count alike -------------------------------------------------


def test_an_excluded_buyer_condemns_nothing(desk, grumbler):
    desk.rule(excluded=[grumbler])
    desk.hear(200, buyer=grumbler, quality_score=1)
    assert not desk.decisions()
    desk.hear(60, quality_score=1)
    (decision,) = desk.decisions()
    assert decision.numbers["count"] == 80
    assert decision.numbers["without"] == ["Grumbler"]
    assert "(without Grumbler)" in desk.source.__class__.objects.get(pk=desk.source.pk).status_reason


def test_an_excluded_buyer_has_no_pair(desk, grumbler):
    desk.rule(**PAIR, excluded=[grumbler])
    desk.hear(20, buyer=grumbler, quality_score=1)
    assert not desk.decisions()


def test_an_excluded_buyers_returns_put_nobody_on_a_list(desk, grumbler):
    desk.flow.seller.suppression_lists.create(name="Returns", slug="returns")
    desk.rule(
        trigger="feedback", outcome="returned", action="suppress_contact", params={"list": "returns"},
        excluded=[grumbler],
    )  # fmt: skip
    desk.hear(2, buyer=grumbler, outcome="returned")
    assert not desk.decisions()
    desk.hear(1, outcome="returned")
    assert len(desk.decisions()) == 1


def test_weighed_alike_a_large_buyer_counts_as_much_as_a_small_one(desk, grumbler):
    """20 scores of 5 and 180 of 2: pooled 2.3, the mean of both buyers 3.5."""
    pooled, alike = desk.rule(action="alert"), desk.rule(action="alert", equal_buyers=True)
    desk.hear(180, buyer=grumbler, quality_score=2)
    assert {decision.rule for decision in desk.decisions()} == {pooled}
    desk.later(hours=25)
    alike.threshold = Decimal("3.6")
    alike.save()
    desk.hear(1, buyer=grumbler, quality_score=2)
    (decision,) = desk.decisions(rule=alike)
    assert (decision.numbers["value"], decision.numbers["equal_buyers"]) == (3.5, 2)


# --- Certain enough --------------------------------------------------------------------------------------


def test_a_bare_number_beyond_the_threshold_is_not_yet_certain(desk):
    desk.rule(evidence="confident", action="alert")
    desk.rule(evidence="point", action="alert", name="point")
    desk.report(desk.deliver(6), quality_score=3)
    desk.report(desk.deliver(6), quality_score=2)
    desk.report(desk.deliver(3), quality_score=4)
    desk.recompute()
    assert [decision.rule_name for decision in desk.decisions()] == ["point"]


def test_a_bad_source_is_told_with_its_evidence(desk):
    desk.rule(evidence="confident")
    desk.hear(25, quality_score=1)
    (decision,) = desk.decisions()
    numbers = decision.numbers
    assert numbers["evidence"] == "confident"
    assert numbers["e_value"] >= numbers["needed"] == 20
    assert numbers["bound"] < 3.0
    reason = desk.source.__class__.objects.get(pk=desk.source.pk).status_reason
    assert "is below 3.0, and not by chance: it is at most" in reason
    assert "however often one looks" in reason


def test_a_confident_rate_counts_the_period_not_a_sliding_window(desk):
    desk.rule(
        evidence="confident", metric="return_rate", comparison="above", threshold=Decimal("0.2"),
        window_days=30, action="alert",
    )  # fmt: skip
    desk.hear(30, outcome="returned")
    (decision,) = desk.decisions()
    first, last = decision.numbers["from"], decision.numbers["to"]
    assert last == "2025-11-12"
    assert first <= "2025-11-11"
    assert f"from {int(first[-2:])} " in Alert.objects.get().body


def test_without_any_one_buyer_the_others_must_condemn_it_too(desk, grumbler):
    columns = {
        "evidence": "confident", "equal_buyers": True, "metric": "return_rate", "comparison": "above",
        "threshold": Decimal("0.2"), "action": "alert",
    }  # fmt: skip
    desk.rule(**columns)
    desk.hear(200, buyer=grumbler, outcome="returned")
    assert not desk.decisions()
    desk.hear(100, outcome="returned")
    (decision,) = desk.decisions()
    assert decision.numbers["equal_buyers"] == 2
    assert "whichever one buyer is left out" in Alert.objects.get().body


# --- Cost ------------------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_sources_and_buyers(desk):
    """Every kind of rule fires on every source: as many statements for five sources as for one."""
    second = desk.other_buyer()
    for columns in (
        {**PAIR, "mode": "suggest"},
        PAIR,
        {"evidence": "confident", "action": "alert"},
        {"equal_buyers": True, "action": "bonus", "params": {"amount": "5"}},
        {"mode": "suggest", "on_clear": "reverse"},
    ):
        desk.rule(**columns)

    def statements(sources) -> int:
        for source in sources:
            for buyer in (desk.buyer, second):
                desk.report(desk.deliver(20, buyer=buyer, source=source), quality_score=1)
        with CaptureQueriesContext(connection) as caught:
            desk.recompute()
        return len(caught)

    one = statements([desk.source])
    many = statements([make.SourceFactory(flow=desk.flow) for _ in range(5)])
    assert Decision.objects.filter(source=desk.source).count() == 7
    assert Decision.objects.count() == 6 * 7
    assert many == one
