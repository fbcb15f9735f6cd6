"""The search of leads over ids and contacts together, and what "all that match" means to others."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from feedback.desk import Desk
from feedback.filters import matching
from flows.models import Agreement, Delivery
from portal import tables
from tests import factories as make
from tests.feedback.test_leads_page import ids

LEADS = "/leads/"


@pytest.fixture
def client(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def desk(world):
    return Desk(world.actor(world.agent))


@pytest.fixture
def add(world):
    def one(external_id=None, **lead) -> Delivery:
        lead = {f"lead__{name}": value for name, value in lead.items()}
        return make.DeliveryFactory(
            lead__source=world.source, buyer=world.buyer, external_id=external_id, **lead
        )

    return one


def test_a_text_may_be_an_id_of_one_lead_and_the_name_of_another(client, add):
    called, named = add("ana-77"), add(first_name="Mariana-77")
    add("x-ana-77")
    assert set(ids(client.get(f"{LEADS}?q=ana-77"))) == {called.public_id, named.public_id}


def test_an_id_that_very_many_begin_with_is_taken_for_an_id_alone(client, add, monkeypatch):
    monkeypatch.setattr("feedback.lead_search.OFTEN", 1)
    called = {add(f"ana-{number}").public_id for number in range(3)}
    add(first_name="ana-")
    assert set(ids(client.get(f"{LEADS}?q=ana-"))) == called


def test_ids_and_contacts_of_others_are_never_found(client, world, other_world, add):
    theirs = make.DeliveryFactory(
        lead__source=world.source, buyer=make.BuyerFactory(seller=world.seller), external_id="ana-1"
    )
    mine = add("ana-2")
    assert ids(client.get(f"{LEADS}?q=ana-")) == [mine.public_id]
    assert ids(client.get(f"{LEADS}?q={theirs.public_id}")) == []
    assert ids(client.get(f"{LEADS}?q={other_world.delivery.public_id}")) == []


def test_a_hidden_contact_is_not_found_beside_an_id(client, add):
    called = add("ana-1")
    add(first_name="Ana-1")
    Agreement.objects.update(shows_contact=False)
    assert ids(client.get(f"{LEADS}?q=ana-1")) == [called.public_id]


@pytest.mark.parametrize(
    ("text", "found"), [("li", True), ("LI", True), ("l", False), ("lin", False), ("wu li", True)]
)
def test_two_letters_are_meant_whole(client, add, text, found):
    short = add(first_name="Li", last_name="Wu")
    add(first_name="Lindsey", last_name="Wulf", email="lw@example.org")
    assert (short.public_id in ids(client.get(LEADS, {"q": text}))) is found


def test_a_search_goes_on_within_the_view_and_says_where_else_to_look(client, add):
    told = add(first_name="Zoe")
    Delivery.objects.filter(pk=told.pk).update(feedback_count=1)
    nothing = client.get(f"{LEADS}?show=due&q=zoe")
    assert ids(nothing) == []
    assert 'href="/leads/?q=zoe&amp;show=all"' in nothing.content.decode()
    assert ids(client.get(f"{LEADS}?q=zoe&show=all")) == [told.public_id]


def test_all_that_match_are_those_of_the_page(desk, world, add):
    told = add(first_name="Zoe")
    Delivery.objects.filter(pk=told.pk).update(feedback_count=1)
    matches = {
        "": {world.delivery},
        "show=all": {world.delivery, told},
        "q=zoe": {told},
        "q=zoe&show=due": set(),
        "show=all&sort=-revenue&after=x&page=2&column=notes&view=3": {world.delivery, told},
    }
    for query, expected in matches.items():
        assert set(matching(desk, QueryDict(query))) == expected, query


@pytest.mark.parametrize(
    "query", ["show=nonsense", "outcome=nonsense", "delivered_from=yesterday", "q=zoe&status=x"]
)
def test_nothing_matches_a_filter_that_is_wrong(desk, query):
    assert not matching(desk, QueryDict(query)).exists()


def test_what_no_index_sorts_is_offered_while_the_list_is_short(client, add, monkeypatch):
    leads = [add(last_name=name).public_id for name in ("Beck", "Ames", "Cole")]
    short = client.get(f"{LEADS}?sort=lead")
    assert ids(short)[:3] == [leads[1], leads[0], leads[2]]
    monkeypatch.setattr(tables, "COUNT_LIMIT", 2)
    long = client.get(f"{LEADS}?sort=lead")
    assert 'id="sort-lead"' not in long.content.decode()
    assert 'id="sort-revenue"' in long.content.decode()
    assert "of 2+" in long.content.decode()
    assert len(ids(long)) == 4
