"""The developers' pages: the log that answers “my feedback is not updating”, and a request on trial."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
import zoneinfo

import pytest
from django.urls import reverse
from django.utils import timezone

from feedback.models import ChangeSet, Feedback, StaleMark
from feedback.schema import Clean, compile_schema
from flows import keys
from flows.models import Agreement, ApiKey, Delivery, Field, RequestLog
from tests import factories as make

pytestmark = pytest.mark.django_db
LOG = "/developers/log/"
TEST = "/developers/test/"


@pytest.fixture
def agent(world, as_user):
    return as_user(world.agent)


def words(response) -> str:
    """The page as it is read: without its tags."""
    text = re.sub(r"<script.*?</script>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def rows(response) -> list[str]:
    return [str(row.record.request_id) for row in response.context["table"].rows]


# --- The log --------------------------------------------------------------------------------------
def test_a_buyer_sees_its_own_requests_newest_first(api, lead, agent):
    api.post({"lead_id": lead, "outcome": "contacted"}, x_request_id="one")
    api.post({"lead_id": lead, "outcome": "sold"}, x_request_id="two")
    response = agent.get(LOG)
    assert rows(response) == ["two", "one"]
    assert "validation_failed" in words(response)


def test_nobody_elses_requests_show(api, lead, other_world, as_user):
    rival = make.BuyerFactory(seller=Delivery.objects.first().flow.seller)
    person = make.MembershipFactory(buyer=rival, role="buyer_manager").user
    api.post({"lead_id": lead, "outcome": "contacted"})
    row = RequestLog.objects.get()
    for user in (person, other_world.manager):
        client = as_user(user)
        assert rows(client.get(f"{LOG}?lead={lead}")) == []
        assert client.get(f"{LOG}{row.pk}/").status_code == 404


@pytest.fixture
def some(api, test_api, lead):
    api.post({"lead_id": lead, "outcome": "contacted"}, x_request_id="good")
    api.post({"lead_id": lead, "outcome": "sold"}, x_request_id="bad")
    api.post({"lead_id": "evt_none", "outcome": "converted"}, x_request_id="lost")
    test_api.post({"lead_id": lead, "outcome": "converted"}, x_request_id="test")
    RequestLog.objects.filter(request_id="good").update(at=timezone.now() - dt.timedelta(days=3), status=500)


def day(days_ago: int) -> str:
    return (timezone.localtime() - dt.timedelta(days=days_ago)).date().isoformat()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["test", "lost", "bad", "good"]),
        ("answer=ok", ["test"]),
        ("answer=refused", ["lost", "bad"]),
        ("answer=failed", ["good"]),
        ("code=lead_not_found", ["lost"]),
        ("code=nonsense", ["test", "lost", "bad", "good"]),
        ("lead=evt_none", ["lost"]),
        ("lead=evt_non", []),
        (f"since={day(2)}", ["test", "lost", "bad"]),
        (f"until={day(2)}", ["good"]),
        ("since=yesterday&until=9999-12-31", ["test", "lost", "bad", "good"]),
    ],
)
def test_filters(some, agent, query, found):
    assert rows(agent.get(f"{LOG}?{query}")) == found


def test_the_filter_of_keys_offers_own_keys_only(some, agent, world, other_world):
    trial = ApiKey.objects.get(name="Trying out")
    foreign = keys.issue(name="Foreign", buyer=other_world.buyer)[0]
    assert rows(agent.get(f"{LOG}?key={trial.pk}")) == ["test"]
    response = agent.get(f"{LOG}?key={foreign.pk}")
    assert rows(response) == ["test", "lost", "bad", "good"]  # a choice that is not there filters nothing
    assert "Foreign" not in response.content.decode()


def test_htmx_gets_the_table_and_what_stands_for_the_lead(some, agent, lead):
    response = agent.get(f"{LOG}?lead={lead}", headers={"HX-Request": "true"})
    text = response.content.decode()
    assert "<html" not in text
    assert 'id="lead-answer"' in text
    assert 'hx-swap-oob="true"' in text
    assert "What stands for" in text


def test_the_page_asks_few_questions(api, lead, agent, django_assert_max_num_queries):
    for number in range(30):
        api.post({"lead_id": lead, "outcome": "contacted", "notes": str(number)})
    with django_assert_max_num_queries(18):
        assert len(rows(agent.get(f"{LOG}?lead={lead}"))) == 30


# --- A lead: “my feedback is not updating” -----------------------------------------------------------
def test_a_lead_of_ours_with_its_window_and_its_state(api, world, agent, lead):
    api.post({"lead_id": lead, "outcome": "converted", "revenue": 1500})
    text = words(agent.get(f"{LOG}?lead={lead}"))
    assert "Yours: Maria" in text
    zone = zoneinfo.ZoneInfo(world.buyer.timezone)
    closes = world.delivery.window_closes_at().astimezone(zone)
    assert f"Open until {closes.day} {closes:%b %Y, %H:%M}" in text
    assert "Converted, sold" in text
    assert "1 piece of feedback" in text
    assert "was answered with 201 recorded" in text


def test_a_lead_whose_window_has_closed(api, world, agent, lead):
    long_ago = timezone.now() - dt.timedelta(days=91)
    Delivery.objects.update(delivered_at=long_ago)
    api.post({"lead_id": lead, "outcome": "converted"})
    text = words(agent.get(f"{LOG}?lead={lead}"))
    assert "Closed on" in text
    assert "Feedback was taken for 90 days after the delivery" in text
    assert "422 outside_update_window" in text


def test_a_flow_that_takes_no_feedback(api, world, agent, lead):
    world.flow.feedback_enabled = False
    world.flow.save()
    api.post({"lead_id": lead, "outcome": "converted"})
    text = words(agent.get(f"{LOG}?lead={lead}"))
    assert "takes no feedback" in text
    assert "403 feedback_disabled" in text


def test_a_lead_that_is_not_ours_is_like_none(api, agent, other_world):
    texts = []
    for asked in (other_world.delivery.public_id, "evt_" + "0" * 16):
        api.post({"lead_id": asked, "outcome": "converted"})
        text = words(agent.get(f"{LOG}?lead={asked}"))
        texts.append(re.sub(r"req_\w+|ID \d+ 404", "", text.replace(asked, "ID")))
    assert texts[0] == texts[1]
    assert "None of your leads has this id" in texts[0]
    assert "404 lead_not_found" in texts[0]


def test_an_id_in_the_wrong_case_is_told(agent, lead):
    text = words(agent.get(f"{LOG}?lead={lead.upper()}"))
    assert f"did you mean {lead} ?" in text


def test_nothing_came_in_for_the_lead(agent, lead):
    assert "No API request of the last 30 days named it" in words(agent.get(f"{LOG}?lead={lead}"))


def test_requests_are_found_by_either_id_of_the_lead(api, world, agent, lead):
    Delivery.objects.update(external_id="CRM_12345")
    api.post({"external_id": "CRM_12345", "outcome": "contacted"}, x_request_id="own")
    api.post({"lead_id": lead, "outcome": "converted"}, x_request_id="theirs")
    for asked in (lead, "CRM_12345", f"  {lead} "):
        assert rows(agent.get(LOG, {"lead": asked})) == ["theirs", "own"]


def test_a_row_of_a_batch_is_found(api, agent, lead):
    batch = [{"lead_id": "evt_other", "outcome": "contacted"}, {"lead_id": lead, "outcome": "sold"}]
    api.post({"feedback": batch}, suffix="/batch", x_request_id="many")
    assert rows(agent.get(f"{LOG}?lead={lead}")) == ["many"]
    assert rows(agent.get(f"{LOG}?lead={lead[:-1]}")) == []
    text = words(agent.get(f"{LOG}{RequestLog.objects.get().pk}/"))
    assert "0 recorded, 0 unchanged, 2 refused" in text
    assert "Row 1 validation_failed : outcome:" in text


@pytest.mark.parametrize(
    "asked", ["\0", "x" * 300, "%", "' OR 1=1 --", "<script>alert(1)</script>", "ǅ" * 64]
)
def test_nonsense_in_place_of_an_id(agent, api, lead, asked):
    api.post({"lead_id": lead, "outcome": "contacted"})
    response = agent.get(LOG, {"lead": asked})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


# --- One request --------------------------------------------------------------------------------------
def detail(agent, request_id: str) -> str:
    return words(agent.get(f"{LOG}{RequestLog.objects.get(request_id=request_id).pk}/"))


def test_a_refusal_says_what_it_means_and_what_to_do(some, agent):
    text = detail(agent, "bad")
    assert "Mend every entry of errors" in text
    assert "Did you mean converted ?" in text
    assert "The outcome is none of the seven words." in text


def test_what_went_through_is_told_too(some, agent, api, lead):
    assert "it came with a test key" in detail(agent, "test")
    api.post({"lead_id": lead, "outcome": "contacted"}, x_request_id="same")
    assert "This exact feedback was on record already" in detail(agent, "same")
    later, sooner = (
        (timezone.now() - dt.timedelta(hours=hours)).isoformat().replace("+00:00", "Z") for hours in (1, 2)
    )
    api.post({"lead_id": lead, "revenue": 10, "feedback_timestamp": later})
    api.post({"lead_id": lead, "revenue": 20, "feedback_timestamp": sooner}, x_request_id="late")
    assert "newer feedback had settled every field" in detail(agent, "late")


def test_the_body_is_masked_on_the_page(api, lead, agent):
    api.post({"lead_id": lead, "outcome": "bad_info", "notes": "Call Jane at 512 555-1212"}, x_request_id="m")
    text = detail(agent, "m")
    assert '"outcome": "bad_info"' in text
    assert "Jane" not in text
    assert "555" not in text


# --- A request on trial -----------------------------------------------------------------------------
@pytest.fixture
def key(world, live_key) -> ApiKey:
    return ApiKey.objects.get(buyer=world.buyer)


def send(client, world, key: ApiKey, body, **more):
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(TEST, {"flow": world.flow.public_id, "key": key.pk, "body": text, **more})


def test_the_example_is_right_as_it_stands(agent, world, key):
    body = agent.get(TEST).context["form"]["body"].value()
    assert isinstance(compile_schema(world.flow).validate(json.loads(body), now=timezone.now()), Clean)
    response = send(agent, world, key, body)
    assert "200 OK" in words(response)
    assert "This request is right." in words(response)


def test_nothing_is_recorded_whatever_is_sent(agent, world, key, lead):
    before = Delivery.objects.values().get()
    response = send(agent, world, key, {"lead_id": lead, "outcome": "converted", "revenue": 99})
    answer = response.context["trial"].answer
    assert (answer["status"], answer["livemode"], answer["lead"]["revenue"]) == ("test", False, "99.00")
    for model in (Feedback, ChangeSet, StaleMark, RequestLog):
        assert not model.objects.exists()
    assert Delivery.objects.values().get() == before
    key.refresh_from_db()
    assert key.last_used_at is None
    assert key.livemode


def test_it_answers_as_the_api_does(agent, world, key, api):
    """Status, code and faults are those of the real door, for every kind of mistake."""
    bodies = [
        '{"lead_id": "evt_test", "outcome": "sold", "revenue": -1, "colour": "red"}',
        '{"lead_id": "evt_test",}',
        '{"lead_id": "evt_nowhere", "outcome": "converted"}',
        "[]",
        '{"lead_id": "evt_test"}',
        '{"a": 1, "a": 2}',
        '{"lead_id": "evt_test", "notes": "' + "x" * 66_000 + '"}',
    ]
    for body in bodies:
        trial, real = send(agent, world, key, body).context["trial"], api.post(body=body)
        same = ("status", "code", "title", "errors")
        assert {name: trial.answer.get(name) for name in same} == {
            name: real.json().get(name) for name in same
        }
        assert trial.status == real.status_code


def test_every_fault_is_explained(agent, world, key):
    body = {"lead_id": "evt_test", "outcome": "sold", "revenue": -1, "colour": "red"}
    text = words(send(agent, world, key, body))
    assert "422 Unprocessable" in text
    for part in (
        "Did you mean converted ?",
        "Send an amount of zero or more.",
        "The flow has no field of this name.",
    ):
        assert part in text


def test_the_window_and_the_rights_of_the_key_are_checked(agent, world, key, lead):
    Delivery.objects.update(delivered_at=timezone.now() - dt.timedelta(days=91))
    body = {"lead_id": lead, "outcome": "converted"}
    assert send(agent, world, key, body).context["trial"].answer["code"] == "outside_update_window"
    other = make.FlowFactory(seller=world.seller)
    Agreement.objects.create(flow=other, buyer=world.buyer)
    key.all_flows = False
    key.save()
    key.flows.set([other])
    assert send(agent, world, key, body).context["trial"].answer["code"] == "key_not_allowed"


def test_the_key_is_never_on_the_page(agent, world, key, live_key):
    text = send(agent, world, key, {"lead_id": "evt_test", "outcome": "converted"}).content.decode()
    assert live_key not in text
    assert live_key[17:] not in text
    assert "X-API-Key: YOUR_LIVE_KEY" in html.unescape(text)


def test_the_curl_line_is_exact(agent, world, key):
    body = '{"lead_id": "evt_test", "notes": "it\'s <b>"}'
    line = send(agent, world, key, body).context["curl"]
    assert f"curl -X POST http://127.0.0.1:8000/flows/{world.flow.public_id}/feedback" in line
    assert "it'\\''s <b>" in line


def test_a_test_key_has_its_own_placeholder(agent, world, key):
    trial = keys.issue(name="t", buyer=world.buyer, livemode=False)[0]
    assert "YOUR_TEST_KEY" in agent.get(TEST, {"key": trial.pk}).context["curl"]


def test_another_flow_has_its_own_example(agent, world, key):
    solar = make.FlowFactory(seller=world.seller, name="AAA Solar")
    Field.objects.create(flow=solar, name="system_size", kind="text", required=True)
    Agreement.objects.create(flow=solar, buyer=world.buyer)
    response = agent.post(TEST, {"flow": solar.public_id, "key": key.pk, "body": "typed", "example": "1"})
    assert response.status_code == 200
    assert json.loads(response.context["form"]["body"].value())["system_size"] == "text"
    assert response.context["trial"] is None


def test_anothers_flow_or_key_is_no_choice(agent, world, key, other_world):
    foreign = keys.issue(name="Foreign", buyer=other_world.buyer)[0]
    response = agent.post(TEST, {"flow": other_world.flow.public_id, "key": foreign.pk, "body": "{}"})
    assert response.status_code == 422
    assert response.context["trial"] is None
    assert set(response.context["form"].errors) == {"flow", "key"}


def test_without_a_key_or_a_flow_it_says_what_to_do(agent, world):
    assert "Ask one of your managers for a test key" in words(agent.get(TEST))
    Agreement.objects.all().delete()
    assert "You have no agreement on a flow" in words(agent.get(TEST))


def test_a_key_that_is_over_is_not_offered(agent, world, key):
    keys.revoke(key)
    assert "No key that works" in words(agent.get(TEST))


# --- Where to begin ---------------------------------------------------------------------------------
def test_the_overview_shows_flows_and_keys_without_the_keys(agent, world, key, live_key):
    gone = keys.issue(name="Old", buyer=world.buyer)[0]
    keys.revoke(gone)
    response = agent.get("/developers/")
    text = words(response)
    for part in (world.flow.name, world.flow.public_id, "CRM", "Old", "Revoked", "Active", key.prefix):
        assert part in text
    assert live_key not in text
    assert reverse("guide", args=[world.flow.public_id]) in response.content.decode()


def test_the_rail_leads_there(agent, world, as_user):
    assert 'href="/developers/"' in agent.get("/leads/").content.decode()
    assert 'href="/developers/"' not in as_user(world.owner).get("/dashboard/").content.decode()


# --- The seller -------------------------------------------------------------------------------------
def test_a_seller_reads_the_log_in_the_admin(some, world, as_user, lead, other_world):
    client = as_user(world.analyst)
    listed = client.get(reverse("admin:flows_requestlog_changelist"), {"q": lead})
    assert {row.request_id for row in listed.context["cl"].result_list} == {"good", "bad", "test"}
    row = RequestLog.objects.get(request_id="lost")
    page = words(client.get(reverse("admin:flows_requestlog_change", args=[row.pk])))
    assert "No lead of yours on this flow has this id." in page
    assert as_user(other_world.owner).get(
        reverse("admin:flows_requestlog_change", args=[row.pk])
    ).status_code in (302, 404)
