"""Views that people keep: made, shared, renamed, updated and deleted, all without a script."""

from __future__ import annotations

import html
import re

import pytest

from feedback.models import SavedView
from portal.access import Role
from tests import factories as make
from tests.feedback.test_leads_page import ids

LEADS, VIEWS = "/leads/", "/views/"


@pytest.fixture
def agent(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def manager(world, as_user):
    return as_user(world.manager)


@pytest.fixture
def colleague(world, as_user):
    """Another agent of the buyer."""
    return as_user(make.MembershipFactory(buyer=world.buyer, role=Role.BUYER_AGENT).user)


def keep(client, name="Hot ones", query="outcome=contacted&sort=-revenue&column=notes", **more):
    return client.post(VIEWS, {"name": name, "query": query, **more})


def tabs(client, url=LEADS) -> list[str]:
    page = client.get(url).content.decode()
    return [html.unescape(text).strip() for text in re.findall(r'id="view-\d+"[^>]*>([^<]+)', page)]


def test_a_view_keeps_filters_order_and_columns_and_shows_them_again(agent, world):
    response = keep(agent)
    view = SavedView.objects.get()
    assert (view.query, view.columns) == ("outcome=contacted&sort=-revenue", ["notes"])
    assert response["Location"] == f"{LEADS}?outcome=contacted&sort=-revenue&column=notes&view={view.pk}"
    page = agent.get(response["Location"]).content.decode()
    assert "Saved the view" in page
    assert re.search(rf'id="view-{view.pk}"[^>]*aria-current="page"', page)
    assert "Update “Hot ones”" not in html.unescape(page)  # it is as it was kept
    assert 'data-label="Notes"' not in page  # no lead fits
    assert 'aria-sort="descending"' not in page  # and that column is not shown


def test_page_and_view_are_not_kept(agent):
    keep(agent, query="outcome=contacted&after=x&before=y&page=3&view=9&q=&column=notes&column=notes")
    view = SavedView.objects.get()
    assert (view.query, view.columns) == ("outcome=contacted", ["notes"])


def test_own_views_are_ones_own_and_shared_ones_the_teams(agent, colleague, manager, other_world, as_user):
    keep(agent, "Mine")
    keep(agent, "Ours", shared="yes")
    assert tabs(agent) == ["Ours", "Mine"]
    assert tabs(colleague) == tabs(manager) == ["Ours"]
    assert tabs(as_user(other_world.agent)) == []
    mine = SavedView.objects.get(name="Mine")
    for client in (colleague, manager, as_user(other_world.agent), as_user(other_world.manager)):
        assert client.get(f"{VIEWS}{mine.pk}/").status_code == 404
        assert client.post(f"{VIEWS}{mine.pk}/delete/").status_code == 404
        assert client.post(f"{VIEWS}{mine.pk}/update/", {"query": "q=x"}).status_code == 404
    assert SavedView.objects.count() == 2


def test_a_manager_changes_what_others_share_a_colleague_does_not(agent, colleague, manager):
    keep(agent, "Ours", shared="yes")
    view = SavedView.objects.get()
    for suffix in ("", "update/", "delete/"):
        assert colleague.post(f"{VIEWS}{view.pk}/{suffix}", {"name": "Theirs"}).status_code == 403
    assert "Rename, share or delete" not in colleague.get(VIEWS).content.decode()
    assert manager.post(f"{VIEWS}{view.pk}/", {"name": "All of ours", "shared": "yes"}).status_code == 302
    view.refresh_from_db()
    assert (view.name, view.shared) == ("All of ours", True)
    assert manager.post(f"{VIEWS}{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def test_a_changed_view_offers_to_be_updated(agent, colleague):
    keep(agent, "Ours", query="outcome=contacted", shared="yes")
    view = SavedView.objects.get()
    changed = f"{LEADS}?outcome=returned&column=notes&view={view.pk}"
    assert "Update “Ours”" in html.unescape(agent.get(changed).content.decode())
    assert "Update “Ours”" not in html.unescape(colleague.get(changed).content.decode())
    response = agent.post(f"{VIEWS}{view.pk}/update/", {"query": changed.partition("?")[2]})
    view.refresh_from_db()
    assert (view.query, view.columns) == ("outcome=returned", ["notes"])
    assert response["Location"].endswith(f"view={view.pk}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Give the view a name."),
        ("   ", "Give the view a name."),
        ("x" * 61, "at most 60 characters"),
        ("hot ONES", "a view of this name already"),
        ("a\0b", "at most 60 characters"),
    ],
)
def test_a_name_that_will_not_do_is_told_beside_it_and_nothing_is_lost(agent, name, said):
    keep(agent)
    response = keep(agent, name, query="q=ana")
    page = html.unescape(response.content.decode())
    assert response.status_code == 422
    assert said in page
    assert 'name="query" value="q=ana"' in page
    assert SavedView.objects.count() == 1


def test_the_same_name_may_be_ones_own_and_anothers_and_the_teams(agent, colleague):
    assert keep(agent, "Hot").status_code == 302
    assert keep(colleague, "Hot").status_code == 302
    assert keep(agent, "Hot", shared="yes").status_code == 302
    assert keep(colleague, "hot", shared="yes").status_code == 422


def test_renaming_to_a_taken_name_leaves_the_view_as_it_was(agent):
    keep(agent, "One")
    keep(agent, "Two")
    two = SavedView.objects.get(name="Two")
    response = agent.post(f"{VIEWS}{two.pk}/", {"name": "One"})
    assert response.status_code == 422
    assert "a view of this name already" in response.content.decode()
    two.refresh_from_db()
    assert two.name == "Two"


@pytest.mark.parametrize(
    "query", ["%00=1&outcome=%00", "column=%00&column=../x", "q=" + "x" * 3000, "&&==", "a" * 9000]
)
def test_odd_questions_are_kept_or_refused_and_break_nothing(agent, query):
    response = keep(agent, "Odd", query=query)
    assert response.status_code in (302, 422)
    if response.status_code == 302:
        assert agent.get(response["Location"]).status_code == 200


def test_there_is_an_end_to_views(agent, monkeypatch):
    monkeypatch.setattr("feedback.saved_views.MOST", 2)
    assert [keep(agent, f"View {number}").status_code for number in range(3)] == [302, 302, 422]


def test_a_view_that_is_gone_shows_its_question_still(agent, world):
    assert ids(agent.get(f"{LEADS}?show=all&view=999")) == [world.delivery.public_id]
    assert ids(agent.get(f"{LEADS}?show=all&view=x")) == [world.delivery.public_id]


def test_who_has_none_is_told_how_to_get_one(agent):
    assert "No saved views yet" in agent.get(VIEWS).content.decode()
