"""2,000 posts while everything is killed again and again: nothing is lost, nothing is doubled.

A whole installation as in production: PostgreSQL (``fsync`` on), Redis, web server, workers in processes of
their own, scheduler; rules that act and alert; an endpoint that is told of everything. ``kill -9`` only.
"""

from __future__ import annotations

import http.client
import json
import queue
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests import services
from tests.installation import Installation, installed
from tests.processes import wait_until
from tests.receiver import Receiver, answer, receiving

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(bool(services.missing()), reason=services.missing()),
]
SEED = 20
POSTS = 2000
LEADS = POSTS + 2  # two for trying out what a client sees of it
CLIENTS = 8
ROUNDS = 3  # how often each part is killed
MOST_SECONDS = 300.0  # for each stage, on a machine that has much else to do
MAKE_WORLD = f"""
import json
from flows import keys, signing
from flows.intake import LeadIn, take_leads
from flows.models import Agreement, Endpoint, Flow, Rule, Source
from flows.presets import set_up_flow
from portal.models import Buyer, Membership, Seller, User

seller = Seller.objects.create(name="Seller", slug="seller")
owner = User.objects.create(username="owner", email="owner@example.com")
Membership.objects.create(user=owner, seller=seller, role="seller_owner")
buyer = Buyer.objects.create(seller=seller, name="Buyer", slug="buyer")
flow = Flow.objects.create(seller=seller, name="Flow")
set_up_flow(flow)
Agreement.objects.create(flow=flow, buyer=buyer)
for slug in ("good", "bad"):
    Source.objects.create(flow=flow, name=slug.title(), slug=slug, base_price=10)
flow.rules.all().delete()
quality = {{"trigger": "quality", "comparison": "above", "min_count": 50, "flow": flow}}
Rule.objects.create(
    name="pause", metric="bad_info_rate", threshold="0.4", action="pause_source", **quality
)
Rule.objects.create(
    name="tell", metric="conversion_rate", threshold="0.2", action="alert", cooldown_hours=720, **quality
)
Rule.objects.create(
    name="suppress", trigger="feedback", outcome="returned", action="suppress_contact", flow=flow,
    params={{"list": "returns"}}, min_count=1, cooldown_hours=0,
)
leads = [
    LeadIn(slug, "buyer", {{"email": f"{{n}}@example.com"}}, None, f"evt_{{n}}", None, None)
    for n, slug in enumerate(["good", "bad"] * ({LEADS} // 2))
]
assert all(receipt.outcome == "success" for receipt in take_leads(flow, leads))
Endpoint.objects.create(
    seller=seller, name="CRM", url="URL", secret=signing.new_salt()
)
print(json.dumps({{"flow": flow.public_id, "buyer": keys.issue(name="b", buyer=buyer)[1]}}))
"""
# What a process that was killed had in hand is free again when its lease runs out: here that is now.
LEASES_RUN_OUT = (
    "UPDATE flows_idempotentrequest SET claimed_at = claimed_at - interval '1 minute' WHERE status IS NULL",
    "UPDATE flows_outboxmessage SET next_attempt_at = now() WHERE status = 'pending'",
)
Reply = tuple[int, dict[str, Any]]


def _feedback() -> list[dict[str, Any]]:
    """What is said of each lead: every other one is of the bad source."""
    rng, outcomes = random.Random(SEED), ("converted", "contacted", "bad_info", "returned")
    weights = ((40, 45, 5, 10), (10, 20, 60, 10))
    chosen = [rng.choices(outcomes, weights[number % 2])[0] for number in range(LEADS)]
    return [{"outcome": each, **({"revenue": "10.00"} if each == "converted" else {})} for each in chosen]


FEEDBACK = _feedback()
WORLD: dict[str, str] = {}  # the flow's id and the buyer's key, once there is an installation


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Takes nearly all that it is sent, at the first try."""
    rng = random.Random(SEED)
    with receiving() as receiver:
        receiver.answers = [answer(200)] * POSTS
        for place in rng.sample(range(POSTS // 2), 3):
            receiver.answers[place] = rng.choice((answer(503), answer(500), b""))
        yield receiver


@pytest.fixture(scope="module")
def installation(tmp_path_factory, receiver: Receiver) -> Iterator[Installation]:
    var = tmp_path_factory.mktemp("var")
    with installed(var, LEADLOOP_EGRESS_ALLOW=receiver.place) as installation:
        WORLD.update(installation.house.ask(MAKE_WORLD.replace("URL", receiver.url)))
        installation.start("web", "worker", "outbox", "scheduler")
        yield installation


def post(installation: Installation, number: int, key: str = "") -> tuple[int, Any, http.client.HTTPMessage]:
    """Say of that lead what is to be said; ``key``: an Idempotency-Key."""
    said = {"lead_id": f"evt_{number}", **FEEDBACK[number]}
    headers = {"Idempotency_Key": key} if key else {}
    path = f"/flows/{WORLD['flow']}/feedback"
    return installation.house.request("POST", path, WORLD["buyer"], said, **headers)


def test_without_the_database_a_post_is_refused_and_can_be_sent_again(installation: Installation):
    number = POSTS
    installation.kill("PostgreSQL")
    for _ in range(2):  # over connections that were open, then over new ones
        status, problem, headers = post(installation, number)
        assert (status, problem["code"], headers["Content-Type"]) == (
            503,
            "unavailable",
            "application/problem+json",
        )
        assert int(headers["Retry-After"]) > 0
    installation.start("PostgreSQL")
    assert post(installation, number)[0] == 201


def test_without_redis_posts_are_taken_and_what_they_bring_about_follows(installation: Installation):
    """By the same worker and scheduler, which find the new Redis by themselves."""
    wait_until(lambda: installation.count("feedback_stalemark") == 0, 30)
    installation.kill("Redis")
    assert post(installation, POSTS + 1)[0] == 201
    assert installation.count("feedback_stalemark") == 1
    installation.start("Redis")
    wait_until(lambda: installation.count("feedback_stalemark") == 0, 30)


class Clients:
    """Post what they are given until each is answered for good; nobody waits for one that must wait."""

    def __init__(self, installation: Installation, numbers: range) -> None:
        self.installation = installation
        self.waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in numbers:
            self.waiting.put(number)
        self.answers: dict[int, Reply] = {}
        self.refused: Counter[str] = Counter()
        self.wrong: list[tuple[int, Any]] = []
        self.held: set[int] = set()  # what was told last that its first request is still being worked on
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._post, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _post(self) -> None:
        while not self.over.is_set():
            try:
                number = self.waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            if not self._settled(number):
                self.waiting.put(number)
                time.sleep(0.1)

    def _settled(self, number: int) -> bool:
        """Every fourth carries an Idempotency-Key; the others rely on the feedback's being the same."""
        self.held.discard(number)
        try:
            status, data, headers = post(self.installation, number, "" if number % 4 else f"post-{number}")
        except (OSError, http.client.HTTPException):
            self.refused["no answer"] += 1
            return False
        if status in (200, 201):
            self.answers[number] = status, data
            return True
        expected = {503: "unavailable", 409: "request_in_progress"}
        if data["code"] != expected.get(status) or not headers["Retry-After"]:
            self.wrong.append((status, data))
        if status == 409:
            self.held.add(number)
        self.refused[data["code"]] += 1
        return False


def test_killing_everything_loses_and_doubles_nothing(installation: Installation, receiver: Receiver):
    rng = random.Random(SEED)
    victims = ["worker", "outbox", "Redis", "PostgreSQL", "web"] * ROUNDS
    rng.shuffle(victims)
    moments = sorted(rng.sample(range(50, POSTS - 100), len(victims)))
    with Clients(installation, range(POSTS)) as clients:
        for moment, victim in zip(moments, victims, strict=True):
            wait_until(lambda moment=moment: len(clients.answers) >= moment, MOST_SECONDS)
            time.sleep(rng.uniform(0, 0.05))
            installation.kill(victim)
            time.sleep(rng.uniform(0.1, 0.8))
            installation.start(victim)
        wait_until(lambda: len(clients.answers) + len(clients.held) >= POSTS, MOST_SECONDS)
        installation.sql(LEASES_RUN_OUT[0])
        wait_until(lambda: len(clients.answers) == POSTS, MOST_SECONDS)
    assert clients.wrong == []
    assert min(clients.refused["unavailable"], clients.refused["no answer"]) > 0  # it was in the way

    wait_until(lambda: installation.count("feedback_stalemark") == 0, MOST_SECONDS)
    due = "flows_outboxmessage WHERE status = 'pending' AND next_attempt_at <= now()"
    wait_until(lambda: installation.count(due) == 0, MOST_SECONDS)
    installation.sql(LEASES_RUN_OUT[1])
    wait_until(lambda: installation.count("flows_outboxmessage WHERE status = 'pending'") == 0, MOST_SECONDS)

    _require_every_feedback_once(installation, clients.answers)
    _require_every_decision_once(installation)
    _require_every_event_told(installation, receiver)
    found = json.loads(installation.house.run("manage.py", "verify", "--json"))
    assert found
    assert not [each for each in found if each["faults"] or each["waiting"]], found


def _require_every_feedback_once(installation: Installation, answers: dict[int, Reply]) -> None:
    rows = installation.sql(
        "SELECT f.public_id, d.public_id, d.outcome FROM feedback_feedback f"
        " JOIN flows_delivery d ON d.id = f.delivery_id"
    )
    on_record = {lead: (feedback, outcome) for feedback, lead, outcome in rows}
    assert len(rows) == len(on_record)  # no lead twice
    for number, (_, data) in answers.items():
        assert on_record[f"evt_{number}"][1] == FEEDBACK[number]["outcome"]
        if data["status"] == "recorded":
            assert data["feedback_id"] == on_record[f"evt_{number}"][0]
        else:
            assert data["status"] == "unchanged"


def _require_every_decision_once(installation: Installation) -> None:
    decided = Counter(
        installation.sql(
            "SELECT d.rule_name, s.slug, l.public_id FROM flows_decision d"
            " JOIN flows_source s ON s.id = d.source_id LEFT JOIN flows_delivery l ON l.id = d.delivery_id"
        )
    )
    returned = [
        int(lead.removeprefix("evt_"))
        for (lead,) in installation.sql("SELECT public_id FROM flows_delivery WHERE outcome = 'returned'")
    ]
    slugs = ("good", "bad")
    assert decided == {
        ("pause", "bad", None): 1,
        ("tell", "good", None): 1,
        **{("suppress", slugs[number % 2], f"evt_{number}"): 1 for number in returned},
    }
    assert installation.sql("SELECT status FROM flows_source ORDER BY slug") == [("paused",), ("active",)]
    assert installation.count("flows_suppressionentry") == len(returned)
    assert installation.count("flows_alert") == 1


def _require_every_event_told(installation: Installation, receiver: Receiver) -> None:
    """At least once, each under the one id that the outbox has for it, whatever was killed."""
    outbox = installation.sql(
        "SELECT event, event_id, status FROM flows_outboxmessage WHERE kind = 'webhook'"
    )
    kinds = Counter(event for event, _, _ in outbox)
    assert kinds["feedback.recorded"] == installation.count("feedback_feedback")
    assert (kinds["source.paused"], kinds["alert.raised"]) == (1, 1)
    assert {status for _, _, status in outbox} == {"done"}
    assert {request.headers["webhook-id"] for request in receiver.requests} == {each for _, each, _ in outbox}
    ids_of: dict[str, set[str]] = defaultdict(set)
    for request in receiver.requests:
        ids_of[request.body.decode()].add(request.headers["webhook-id"])
    assert {len(ids) for ids in ids_of.values()} == {1}
    told = Counter(json.loads(body)["data"].get("feedback_id") for body in ids_of)
    assert set(told) - {None} == {
        each for (each,) in installation.sql("SELECT public_id FROM feedback_feedback")
    }
