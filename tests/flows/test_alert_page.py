"""The alerts page: the team's feed, what is unread of it, and reading it."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from django.utils.timezone import now

from flows.models import Alert, AlertSettings
from tests.admin_pages import faults, filled


def words(response) -> str:
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(html.unescape(text).split())


def alert(world, title: str, *, hours: int = 0, **more) -> Alert:
    at = now() - dt.timedelta(hours=hours)
    return Alert.objects.create(
        **{
            "seller": world.seller,
            "flow": world.flow,
            "level": "bad",
            "title": title,
            "created_at": at,
            **more,
        }
    )


def badge(response) -> str:
    """What the rail says beside Alerts."""
    link = re.search(r'<a href="/alerts/"[^>]*>(.*?)</a>', response.content.decode(), re.DOTALL)[1]
    found = re.search(r'class="badge">([^<]*)<', link)
    return found[1] if found else ""


def test_the_newest_comes_first(world, as_user):
    alert(world, "Older", hours=5)
    alert(world, "Newest")
    alert(world, "Oldest", hours=9)
    text = words(as_user(world.analyst).get("/alerts/"))
    assert text.index("Newest") < text.index("Older") < text.index("Oldest")


def test_reading_one_is_reading_it_for_the_team(world, as_user):
    first, second = alert(world, "First"), alert(world, "Second")
    owner, analyst = as_user(world.owner), as_user(world.analyst)
    assert badge(owner.get("/dashboard/")) == "2 new"
    back = "/alerts/?unread=1"
    answer = analyst.post(f"/alerts/{first.pk}/read/", {"next": back})
    assert (answer.status_code, answer["Location"]) == (302, back)
    page = owner.get("/alerts/?unread=1")
    assert badge(page) == "1 new"
    assert "Second" in words(page) and "First" not in words(page)
    second.refresh_from_db()
    assert second.read_at is None


def test_reading_again_keeps_the_first_time(world, as_user):
    long_ago = now() - dt.timedelta(days=3)
    read = alert(world, "Read", read_at=long_ago)
    as_user(world.owner).post(f"/alerts/{read.pk}/read/")
    read.refresh_from_db()
    assert read.read_at == long_ago


def test_all_can_be_read_at_once_but_only_ones_own(world, other_world, as_user):
    alert(world, "One")
    alert(world, "Two")
    theirs = alert(other_world, "Theirs")
    client = as_user(world.owner)
    assert "2 alerts marked as read" in words(client.post("/alerts/read/", follow=True))
    page = client.get("/alerts/")
    assert badge(page) == ""
    assert "Mark all read" not in words(page)
    theirs.refresh_from_db()
    assert theirs.read_at is None


def test_another_sellers_alert_does_not_exist(world, other_world, as_user):
    mine = alert(world, "Secret")
    client = as_user(other_world.owner)
    assert client.post(f"/alerts/{mine.pk}/read/").status_code == 404
    assert "Secret" not in words(client.get("/alerts/"))
    assert badge(client.get("/alerts/")) == ""
    mine.refresh_from_db()
    assert mine.read_at is None


def test_buyers_and_strangers_have_no_such_page(world, as_user, client):
    mine = alert(world, "Secret")
    for path in ("/alerts/read/", f"/alerts/{mine.pk}/read/"):
        assert client.post(path).status_code == 302
        assert as_user(world.manager).post(path).status_code == 404
        assert as_user(world.owner).get(path).status_code == 405
    assert client.get("/alerts/").status_code == 302
    assert as_user(world.agent).get("/alerts/").status_code == 404
    mine.refresh_from_db()
    assert mine.read_at is None


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_nobody_is_sent_to_another_site(world, as_user, there):
    mine = alert(world, "Mine")
    answer = as_user(world.owner).post(f"/alerts/{mine.pk}/read/", {"next": there})
    assert answer["Location"] == "/alerts/"


def test_the_badge_counts_no_further_than_it_says(world, as_user, django_assert_max_num_queries):
    Alert.objects.bulk_create(
        Alert(seller=world.seller, level="info", title=f"Alert {number}") for number in range(120)
    )
    client = as_user(world.owner)
    with django_assert_max_num_queries(12):
        page = client.get("/alerts/")
    assert badge(page) == "99+ new"
    assert "1–50 of 120 alerts" in words(page)


def test_a_title_is_text_and_never_markup(world, as_user):
    alert(world, "<script>alert(1)</script>", body="<img src=x hx-get=/>")
    content = as_user(world.owner).get("/alerts/").content.decode()
    assert "<script>alert(1)" not in content and "<img" not in content
    assert "&lt;script&gt;alert(1)" in content


def test_no_alerts_say_what_would_be_here(world, as_user):
    assert "When a rule acts on one of your sources" in words(as_user(world.owner).get("/alerts/"))


def test_what_lasts_stands_on_top_and_what_is_over_says_since_when(world, as_user):
    alert(world, "Lasting", hours=50, condition="a")
    over = alert(world, "Past", hours=9, condition="b", resolved_at=now())
    alert(world, "Resolved: Past", level="good", resolves=over)
    alert(world, "Newest")
    text = words(as_user(world.analyst).get("/alerts/"))
    assert text.index("Lasting Still there") < text.index("Newest") < text.index("Past Resolved ")
    assert "It had begun on" in text


def test_one_may_ask_for_what_lasts_or_for_what_is_over(world, as_user):
    alert(world, "Lasting", condition="a", level="warn")
    alert(world, "Past", condition="b", resolved_at=now())
    alert(world, "Of its moment")
    client = as_user(world.owner)
    for question, shown in {
        "state=open": {"Lasting"},
        "state=resolved": {"Past"},
        "level=warn": {"Lasting"},
        "state=resolved&level=warn": set(),
        "state=nonsense": {"Lasting", "Past", "Of its moment"},
    }.items():
        text = words(client.get(f"/alerts/?{question}"))
        assert {title for title in ("Lasting", "Past", "Of its moment") if title in text} == shown, question


def test_owners_find_their_settings_and_analysts_need_not(world, other_world, as_user):
    address = f"/admin/flows/alertsettings/{AlertSettings.objects.get(seller=world.seller).pk}/change/"
    assert address in as_user(world.owner).get("/alerts/").text
    assert address not in as_user(world.analyst).get("/alerts/").text
    assert address not in as_user(other_world.owner).get("/alerts/").text


def test_an_owner_chooses_the_digest(world, as_user):
    row = AlertSettings.objects.get(seller=world.seller)
    address = f"/admin/flows/alertsettings/{row.pk}/change/"
    client = as_user(world.owner)
    assert "America/New_York" in words(client.get(address))
    assert faults(client.post(address, filled(client, address, digest_hour="24"))) == {
        "digest_hour": ["Select a valid choice. 24 is not one of the available choices."]
    }
    sent = client.post(address, filled(client, address, digest="on", digest_hour="6", email_level="warn"))
    assert sent.status_code == 302
    row.refresh_from_db()
    assert (row.by_email, row.email_level, row.digest, row.digest_hour) == (True, "warn", True, 6)
