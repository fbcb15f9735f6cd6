"""The page of one lead: its deadlines, what was paid, raw data, and the calls that recorded what happened."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from django.utils import timezone

from feedback.models import ChangeSet
from flows.models import Agreement, RequestLog
from tests import factories as make


@pytest.fixture
def page(world, as_user):
    """``page()`` → the lead's page as its agent reads it."""

    def get() -> str:
        response = as_user(world.agent).get(f"/leads/{world.delivery.public_id}/")
        assert response.status_code == 200
        return html.unescape(response.content.decode())

    return get


def facts(text: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", text, re.DOTALL)
    return {label.strip(): value.strip() for label, value in found}


def test_it_says_what_was_paid_and_until_when_what_can_be_done(world, page):
    Agreement.objects.update(schedule="daily", return_window_days=10)
    shown = facts(page())
    assert shown["Paid"] == "20.00 USD"
    assert shown["Source"] == world.source.name
    assert {"Feedback is due", "Feedback is taken until", "May be returned until"} <= set(shown)


def test_raw_data_are_those_of_the_api_and_stay_text(world, api, page):
    api.post(
        {"lead_id": world.delivery.public_id, "notes": "<b>bold</b>", "product_details": {"plan": "<i>"}}
    )
    text = page()
    raw = text.split('aria-labelledby="raw-title">')[-1].split("</pre>")[0]
    assert '"notes": "<b>bold</b>"' in raw
    assert '"plan": "<i>"' in raw


def test_a_call_leads_to_the_log_of_requests(world, api, page):
    api.post({"lead_id": world.delivery.public_id, "outcome": "contacted"})
    call = RequestLog.objects.get()
    assert f'<a class="code" href="/developers/log/{call.pk}/">{call.request_id}</a>' in page()


def test_a_call_that_the_log_has_no_more_is_named_all_the_same(world, api, page):
    api.post({"lead_id": world.delivery.public_id, "outcome": "contacted"})
    call = RequestLog.objects.get()
    RequestLog.objects.all().delete()
    assert f'<span class="code">{call.request_id}</span>' in page()


def test_a_request_id_that_another_buyer_sent_too_leads_nowhere_else(world, other_world, api, page):
    api.post({"lead_id": world.delivery.public_id, "outcome": "contacted"})
    mine = RequestLog.objects.get()
    RequestLog.objects.create(
        request_id=mine.request_id, at=timezone.now(), api_key=mine.api_key, seller=other_world.seller,
        buyer=other_world.buyer, method="POST", path="/x", status=200, duration_ms=1,
    )  # fmt: skip
    text = page()
    assert f"/developers/log/{mine.pk}/" in text
    assert len(re.findall(r"/developers/log/\d+/", text)) == 1


def test_what_was_set_in_the_portal_is_not_looked_for_in_the_log(world, as_user, page):
    client = as_user(world.agent)
    client.post(f"/leads/{world.delivery.public_id}/edit/", {"outcome": "contacted", "version": "0"})
    request_id = ChangeSet.objects.get().request_id
    assert request_id
    assert f'<span class="code">{request_id}</span>' in page()


def test_the_number_of_queries_does_not_grow_with_the_calls(
    world, api, as_user, django_assert_max_num_queries
):
    client = as_user(world.agent)
    for number in range(12):
        api.post({"lead_id": world.delivery.public_id, "notes": f"Note {number}"})
    client.get(f"/leads/{world.delivery.public_id}/")
    with django_assert_max_num_queries(14):
        client.get(f"/leads/{world.delivery.public_id}/")


def test_a_closed_lead_says_until_when_feedback_was_taken(world, as_user):
    old = make.DeliveryFactory(
        lead__source=world.source, buyer=world.buyer, delivered_at=timezone.now() - dt.timedelta(days=91)
    )
    text = as_user(world.agent).get(f"/leads/{old.public_id}/").content.decode()
    assert "Feedback was taken until" in text
    assert "Feedback is due" not in text
