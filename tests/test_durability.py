"""What a 201 promises, whatever is killed: real processes, real signals, ``kill -9`` only."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import House, fresh_database, kill, wait_until

LEADS = 320
MAKE_WORLD = f"""
import json
from flows import keys
from flows.intake import LeadIn, take_leads
from flows.models import Agreement, Flow, Source
from flows.presets import set_up_flow
from portal.models import Buyer, Seller

seller = Seller.objects.create(name="Seller", slug="seller")
buyer = Buyer.objects.create(seller=seller, name="Buyer", slug="buyer")
flow = Flow.objects.create(seller=seller, name="Flow")
set_up_flow(flow)
flow.rules.all().delete()
Source.objects.create(flow=flow, name="Source", slug="source", base_price=10)
Agreement.objects.create(flow=flow, buyer=buyer)
leads = [
    LeadIn("source", "buyer", {{"email": f"lead{{n}}@example.com"}}, None, f"evt_{{n}}", None, None)
    for n in range({LEADS})
]
assert all(receipt.outcome == "success" for receipt in take_leads(flow, leads))
print(json.dumps({{
    "flow": flow.public_id,
    "buyer": keys.issue(name="b", buyer=buyer)[1],
    "seller": keys.issue(name="s", seller=seller)[1],
}}))
"""
EVENTS = """
import json
from feedback.models import Feedback
print(json.dumps(list(Feedback.objects.values_list("public_id", "delivery__public_id"))))
"""
MARKS = "from feedback.models import StaleMark; print(StaleMark.objects.count())"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    var = tmp_path_factory.mktemp("var")
    with fresh_database(var) as url:
        house = House(var, url)
        house.run("manage.py", "migrate", "--verbosity", "0")
        house.world = house.ask(MAKE_WORLD)
        yield house
        house.close()


def post(house: House, number: int) -> tuple[int, dict]:
    body = {"lead_id": f"evt_{number}", "outcome": "converted", "revenue": "10.00"}
    return house.call("POST", f"/flows/{house.world['flow']}/feedback", house.world["buyer"], body)


def post_or_lose(house: House, number: int) -> tuple[int, dict] | None:
    """The answer, or None where the server was killed before it came."""
    try:
        return post(house, number)
    except (OSError, http.client.HTTPException):
        return None


def events(house: House) -> list[list[str]]:
    return house.ask(EVENTS)


def converted(house: House) -> int:
    """Conversions as a router sees them: from the recomputed cells."""
    path = f"/flows/{house.world['flow']}/routing/source"
    _, routing = house.call("GET", path, house.world["seller"])
    rate = routing["quality"]["conversion_rate"]
    return round(float(rate["value"] or 0) * rate["count"])


def test_every_201_is_on_record_once_however_often_the_server_is_killed(house):
    """200 posts from four clients; the server is killed twice meanwhile and started again."""
    web = house.start_web()
    numbers = range(200)
    answers: dict[int, tuple[int, dict]] = {}
    with ThreadPoolExecutor(4) as clients:
        waiting = [(number, clients.submit(_keep_posting, house, number, answers)) for number in numbers]
        for threshold in (50, 120):
            wait_until(lambda threshold=threshold: len(answers) >= threshold, 30)
            kill(web)
            web = house.start_web()
        for _, future in waiting:
            future.result()
    kill(web)
    # A client that lost its answer and asked again hears 200 "unchanged", or 201 where nothing was recorded.
    assert {answer["status"] for _, answer in answers.values()} <= {"recorded", "unchanged"}
    on_record = events(house)
    acknowledged = {answer["feedback_id"] for status, answer in answers.values() if status == 201}
    assert acknowledged <= {public_id for public_id, _ in on_record}
    assert Counter(lead for _, lead in on_record) == {f"evt_{number}": 1 for number in numbers}
    house.run("manage.py", "verify")


def _keep_posting(house: House, number: int, answers: dict[int, tuple[int, dict]]) -> None:
    deadline = time.monotonic() + 40
    while number not in answers:
        assert time.monotonic() < deadline
        if answer := post_or_lose(house, number):
            answers[number] = answer
        else:
            time.sleep(0.05)


def test_a_worker_killed_between_the_201_and_the_recompute_loses_nothing(house):
    web, worker = house.start_web(), house.start_worker()
    rng = random.Random(7)
    before = len(events(house))
    for start in (200, 240, 280):
        for number in range(start, start + 39):
            assert post(house, number)[0] == 201
        time.sleep(rng.uniform(0, 0.4))  # wherever it is in its work
        kill(worker)
        assert post(house, start + 39)[0] == 201
        assert house.ask(MARKS) > 0
        worker = house.start_worker()
    scheduler = house.start_scheduler()  # its sweeper finds what a lost hint left behind
    wait_until(lambda: house.ask(MARKS) == 0, 20)
    assert len(events(house)) == before + 120
    assert converted(house) == before + 120
    assert json.loads(house.run("manage.py", "verify", "--json"))
    for process in (web, worker, scheduler):
        kill(process)
