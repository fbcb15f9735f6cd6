"""Every route × method × {stranger, other seller, other buyer, wrong role, right role}.

What is not theirs is answered as if it were not there, and nothing is written. A route that the tables
of `routes.py` do not know fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from feedback import uploads
from feedback.models import ReturnEvidence, ReturnRequest, Upload
from feedback.returns.evidence import Piece
from flows import keys, limits
from flows.models import Decision
from portal.access import Role
from tests import factories as make
from tests.admin_pages import one_of_each
from tests.feedback.returning import PDF, requested, takes_returns
from tests.portal.routes import (
    ADMIN_LOGOUT,
    ADMIN_PAGES,
    APIS,
    BUYERS,
    MODELS,
    PAGES,
    PERSONAL,
    PUBLIC,
    PUBLIC_ARGS,
    ROW_PAGES,
    SELLERS,
    Page,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MARK = "ownmark"
DONE = {200, 204, 302, 303, 304, 400, 409, 422}  # done, or something said about what was sent
NOTED = "django_session|usersessions_usersession|flows_requestlog"  # what a refused request may leave behind
WRITES = re.compile(rf'\s*(INSERT INTO|UPDATE|DELETE FROM) (?!"({NOTED})")', re.IGNORECASE)
# The other people: their side, and whether they belong to the same seller.
OTHERS = {
    "other_owner": "owner",
    "other_analyst": "analyst",
    "other_manager": "manager",
    "other_agent": "agent",
    "rival_manager": "manager",
    "rival_agent": "agent",
}
PEOPLE = ("stranger", "owner", "analyst", "manager", "agent", *OTHERS)


@pytest.fixture(autouse=True)
def fresh_limits():
    """No test uses up another one's tries."""
    cache.clear()
    limits._limiter.cache_clear()


@pytest.fixture
def rows(world):
    """A row of every model: the decision with its numbers, the upload read, with a refused row."""
    found = one_of_each(world, MARK)
    numbers = {"outcome": "returned", "lead_id": world.delivery.public_id}
    found[Decision].numbers = numbers
    found[Decision].save(update_fields=["numbers"])
    file = ContentFile(b"lead_id,outcome\nevt_nowhere,converted\n", name=f"{MARK}.csv")
    found[Upload] = uploads.receive(world.actor(world.agent), world.flow, file)
    uploads.run(found[Upload].pk)
    takes_returns(world)
    found[ReturnRequest] = requested(world, note=f"{MARK} note", pieces=[Piece(f"{MARK}.pdf", "pdf", PDF)])
    found[ReturnEvidence] = ReturnEvidence.objects.get(message__request=found[ReturnRequest])
    return found


@pytest.fixture
def people(world, other_world):
    """The person of each name. The rival is another buyer of the same seller."""
    rival = make.BuyerFactory(seller=world.seller)
    found = {name: getattr(world, name) for name in ("owner", "analyst", "manager", "agent")}
    found |= {f"other_{name}": getattr(other_world, name) for name in found}
    for name, role in (("rival_manager", Role.BUYER_MANAGER), ("rival_agent", Role.BUYER_AGENT)):
        found[name] = make.MembershipFactory(buyer=rival, role=role).user
    return found


@pytest.fixture
def client_of(people):
    def log_in(who: str) -> Client:
        client = Client(raise_request_exception=False)
        if who != "stranger":
            client.force_login(people[who])
        return client

    return log_in


def walk(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, str]]:
    """Every pattern below: its name with its namespace, and its own piece of the address."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name or ''}", str(pattern.pattern)
        else:
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from walk(pattern, inner)


def known_routes() -> set[str]:
    names = {*PUBLIC, *PAGES, *PERSONAL, *APIS, *ADMIN_PAGES, ADMIN_LOGOUT}
    for model, rights in MODELS.items():
        names |= {f"admin:{model}_{page}" for page in ("changelist", "add", *ROW_PAGES, *rights.actions)}
    return names


def test_every_route_is_in_the_tables_and_every_entry_is_a_route():
    found = {name for name, _ in walk(get_resolver()) if not name.endswith(":")}
    assert found == known_routes()


def test_what_has_no_name_is_the_admins_redirect_or_its_404():
    unnamed = {piece for name, piece in walk(get_resolver()) if name in ("", "admin:")}
    assert unnamed == {"<path:object_id>/", "(?P<url>.*)$"}


def test_every_model_of_the_admin_is_in_the_table():
    assert {model._meta.db_table for model in admin.site._registry} == set(MODELS)


def ask(client: Client, method: str, address: str, *, undo: bool = True, **headers: str):
    """The answer, and what was written for it; afterwards all is as before."""
    savepoint = transaction.savepoint()
    with CaptureQueriesContext(connection) as queries:
        response = client.generic(method, address, headers=headers or None)
    response.sent = b"".join(response.streaming_content) if response.streaming else response.content
    if undo:
        transaction.savepoint_rollback(savepoint)
    written = [query["sql"] for query in queries if WRITES.match(query["sql"])]
    return response, [sql for sql in written if "last_used_at" not in sql and "last_login" not in sql]


def assert_refused(response, written: list[str], statuses: set[int], told: object = "") -> None:
    assert response.status_code in statuses, told
    assert not written, told
    assert MARK not in body(response), told
    if response.status_code == 302:
        assert response.headers["Location"].startswith("/accounts/login/")


def body(response) -> str:
    """What was answered, without the rail, which names the person's own company."""
    return re.sub(r'<header class="rail">.*?</header>', "", response.sent.decode(), flags=re.DOTALL)


def refusal(page: Page, who: str) -> set[int] | None:
    """The statuses that a person who may not is answered with; None for one who may."""
    role = OTHERS.get(who, who)
    if who == "stranger":
        return {302, 405}
    if (SELLERS if role in SELLERS else BUYERS).isdisjoint(page.who):
        return {404, 405}
    if role not in page.who:
        return {403, 404, 405} if who in OTHERS else {403, 405}
    return {404, 405} if page.owned and who in OTHERS else None


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_open_to_its_people_only(name, rows, client_of):
    page = PAGES[name]
    address = reverse(name, args=page.args(rows))
    for who in PEOPLE:
        client, refused = client_of(who), refusal(page, who)
        for method in METHODS:
            response, written = ask(client, method, address)
            told = (who, method, response.status_code)
            if refused is not None:
                assert_refused(response, written, refused, told)
            elif method not in page.methods:
                assert_refused(response, written, {405}, told)
            elif name == "membership":
                assert response.status_code == 404, told  # none was chosen
            else:
                assert response.status_code in DONE, told
            if who.startswith("other"):
                assert MARK not in body(response), told


@pytest.mark.parametrize("name", PERSONAL)
def test_what_is_about_ones_own_account_asks_who_one_is_and_does_nothing_without(name, world, client_of):
    address = reverse(name, args=PERSONAL[name])
    for who in ("stranger", "owner", "manager", "agent"):
        client = client_of(who)
        for method in METHODS:
            response, written = ask(client, method, address)
            told = (who, method, response.status_code)
            if who == "stranger":
                assert_refused(response, written, {302, 405}, told)
            else:
                assert response.status_code in {302, 404, 405}, told
                assert not written, told


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.owned])
def test_anothers_row_is_answered_like_one_that_is_not_there(name, rows, client_of):
    page = PAGES[name]
    own = page.args(rows)
    nowhere = tuple(987654321 if isinstance(arg, int) else "evt_nowhere" for arg in own)
    for who in ("other_owner", "other_manager", "rival_manager"):
        for method in page.methods:
            client = client_of(who)
            one, other = (ask(client, method, reverse(name, args=args))[0] for args in (own, nowhere))
            assert one.status_code == other.status_code == 404
            assert plain(one) == plain(other)


def plain(response) -> str:
    """The page without what differs at every request."""
    return re.sub(
        r'csrfmiddlewaretoken" value="\w+"|X-CSRFToken": "\w+"|X-CSRFToken&quot;: &quot;\w+',
        "",
        body(response),
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_page_answers_everybody(name, world, client_of):
    address = reverse(name, args=PUBLIC_ARGS.get(name, ()))
    for who in ("stranger", "owner", "manager"):
        client = client_of(who)
        cache.clear()
        for method in METHODS:
            response, written = ask(client, method, address)
            assert not written
            expected = PUBLIC[name].get(method, {405})
            elsewhere = set() if who == "stranger" else {200, 302}
            assert response.status_code in expected | elsewhere, (who, method, response.status_code)


@pytest.fixture
def key_of(world, other_world):
    """A key by whose it is; "" for none."""
    rival = make.BuyerFactory(seller=world.seller)
    return {
        "none": "",
        "wrong": "ll_live_nothing",
        "seller": keys.issue(name="own", seller=world.seller)[1],
        "buyer": keys.issue(name="own", buyer=world.buyer)[1],
        "rival_buyer": keys.issue(name="rival", buyer=rival)[1],
        "other_seller": keys.issue(name="other", seller=other_world.seller)[1],
        "other_buyer": keys.issue(name="other", buyer=other_world.buyer)[1],
    }


def api_statuses(parties: dict[str, str], method: str, whose: str) -> set[int]:
    party = parties.get("GET" if method == "HEAD" else method)
    if party is None:
        return {405}
    if whose in ("none", "wrong"):
        return {401}
    if whose in ("seller", "buyer"):
        return {200, 201, 202, 400, 415, 422} if party in (whose, "either") else {403}
    return {404}  # a rival has no agreement on the flow


@pytest.mark.parametrize(
    "whose", ["none", "wrong", "seller", "buyer", "rival_buyer", "other_seller", "other_buyer"]
)
@pytest.mark.parametrize("name", APIS)
def test_an_endpoint_is_open_to_its_partys_keys_only(name, whose, rows, key_of):
    api = APIS[name]
    address = reverse(name, args=api.args(rows))
    for method in METHODS:
        headers = {"X-API-Key": key_of[whose]} if key_of[whose] else {}
        response, written = ask(Client(), method, address, undo=False, **headers)
        allowed = api_statuses(api.party, method, whose)
        assert response.status_code in allowed, (method, response.status_code)
        if response.status_code >= 400:
            assert not written
            assert MARK not in body(response)
        if response.status_code >= 400 and method != "HEAD":
            assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("who", ["owner", "manager"])
@pytest.mark.parametrize("name", APIS)
def test_a_log_in_is_no_key(name, who, rows, client_of):
    api = APIS[name]
    for method in api.party:
        response, written = ask(client_of(who), method, reverse(name, args=api.args(rows)))
        assert_refused(response, written, {401})


ADMIN_ADDRESSES = [
    (model, page)
    for model, rights in MODELS.items()
    for page in ("changelist", "add", *ROW_PAGES, *rights.actions)
]


def admin_statuses(model: str, page: str, who: str, method: str) -> set[int]:
    """What the admin answers; an owner may also be told why not (302) or that it does not apply (404)."""
    rights = MODELS[model]
    of_a_row = page not in ("changelist", "add")
    if who == "stranger":
        return {302}
    if OTHERS.get(who, who) in BUYERS or (of_a_row and who in OTHERS):
        return {404}
    if rights.may == "nothing":
        return {403}
    looks = page in ("changelist", "history") or (page == "change" and method != "POST")
    may = page in rights.may.split() or (page in rights.actions)
    if page == "changelist" and method == "POST":
        return {200, 302, 403}
    if looks or (may and OTHERS.get(who, who) == "owner"):
        return {200, 302} | ({404} if page in rights.actions else set())
    return {403} | ({404} if page in rights.actions else set())


@pytest.mark.parametrize(("model", "page"), ADMIN_ADDRESSES, ids=[f"{m}-{p}" for m, p in ADMIN_ADDRESSES])
def test_an_admin_page_is_open_to_its_people_only(model, page, rows, client_of):
    by_table = {kind._meta.db_table: row for kind, row in rows.items()}
    args = () if page in ("changelist", "add") else (by_table[model].pk,)
    address = reverse(f"admin:{model}_{page}", args=args)
    for who in ("stranger", "owner", "analyst", "manager", "other_owner", "other_analyst", "other_manager"):
        client = client_of(who)
        for method in METHODS:
            response, written = ask(client, method, address)
            allowed, told = admin_statuses(model, page, who, method), (who, method, response.status_code)
            assert response.status_code in allowed, told
            if who != "owner":
                assert not written, told
            if who not in ("owner", "analyst"):
                assert MARK not in body(response), told


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_the_admins_own_pages_are_for_sellers(name, who, world, client_of):
    status, args = ADMIN_PAGES[name]
    response = client_of(who).get(reverse(name, args=args))
    if OTHERS.get(who, who) in SELLERS:
        assert response.status_code == status
    else:
        assert response.status_code == (302 if who == "stranger" or name == "admin:login" else 404)


@pytest.mark.parametrize("who", PEOPLE)
def test_the_admins_log_out_takes_a_post(who, world, client_of):
    for method in METHODS:
        response = client_of(who).generic(method, reverse(ADMIN_LOGOUT))
        expected = {405, 302, 404} if method != "POST" else {302, 404}
        assert response.status_code in expected
        if method != "POST" and who in SELLERS:
            assert response.status_code == 405


@pytest.mark.parametrize("who", ["stranger", "owner", "manager"])
def test_the_admins_unnamed_addresses_tell_nothing(who, rows, client_of):
    flow = next(row for kind, row in rows.items() if kind.__name__ == "Flow")
    there, nowhere = (client_of(who).get(f"/admin/flows/flow/{pk}/") for pk in (flow.pk, 987654321))
    assert there.status_code == nowhere.status_code == (404 if who == "manager" else 302)
    assert client_of(who).get("/admin/nothing/").status_code == (302 if who == "stranger" else 404)
