"""People answer the same suggestions at once, each in a process of their own as workers of the web are, on a
database in a file or on a server: each is done once, and one of them is told that it was theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.processes import ROOT, SET_UP, House, fresh_database

PEOPLE = 4
SUGGESTIONS = 12
# Steps of the cap, 100 to 120: done twice, one of them would be at 144.
MAKE_WORLD = f"""
import json
from flows.models import Decision, Rule
from portal.access import Role
from tests import factories as make
from tests.conftest import make_world

world = make_world()
step = {{"action": "step_cap", "params": {{"percentage": 20, "min": 1, "max": 9000}}}}
for name in ("all approve", "some dismiss"):
    rule = Rule.objects.create(
        flow=world.flow, name=name, mode="suggest", trigger="feedback", outcome="returned", **step
    )
    for number in range({SUGGESTIONS}):
        Decision.objects.create(
            flow=world.flow, rule=rule, rule_name=name, evaluation=str(number), status="suggested", **step,
            source=make.SourceFactory(flow=world.flow, daily_cap=100),
            before={{"daily_cap": 100}}, after={{"daily_cap": 120}},
            numbers={{"outcome": "returned", "lead_id": "evt_1"}},
        )
people = [make.MembershipFactory(seller=world.seller, role=Role.SELLER_OWNER) for _ in range({PEOPLE})]
print(json.dumps([each.user_id for each in people]))
"""
# One person's browser: waits for the word, then answers one suggestion after the other; → what it was told.
ANSWER = f"""{SET_UP}
import json, sys
from django.contrib.messages import get_messages
from django.test import Client
from flows.models import Decision
from portal.models import User

person, verb, rule = sys.argv[1:]
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.get(pk=person))
pks = list(Decision.objects.filter(rule_name=rule).order_by("pk").values_list("pk", flat=True))
print("ready", flush=True)
sys.stdin.readline()
told = {{}}
for pk in pks:
    response = client.post(f"/decisions/{{pk}}/{{verb}}/")
    assert response.status_code == 302, response.content
    told[pk] = str(list(get_messages(response.wsgi_request))[-1])
print(json.dumps(told))
"""
STANDS = """
import json
from flows.models import Decision
rows = Decision.objects.filter(rule_name="{rule}").select_related("source")
print(json.dumps({{each.pk: [each.status, each.answered_by_id, each.source.daily_cap] for each in rows}}))
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    var = tmp_path_factory.mktemp("var")
    with fresh_database(var) as address:
        house = House(var, address)
        house.run("manage.py", "migrate", "--verbosity", "0")
        house.people = house.ask(MAKE_WORLD)
        yield house
        house.close()


def answer_at_once(house, rule, verbs):
    """Everybody answers all suggestions of the rule; they begin at one word. → what each person was told of
    each suggestion, and how those stand."""
    with ExitStack() as stack:
        browsers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ANSWER, str(person), verb, rule],
                    env=house.env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for person, verb in zip(house.people, verbs, strict=True)
        ]  # fmt: skip
        for browser in browsers:
            stack.callback(browser.kill)
        assert {browser.stdout.readline() for browser in browsers} == {"ready\n"}
        for browser in browsers:
            browser.stdin.write("go\n")
            browser.stdin.flush()
        told = [json.loads(browser.communicate(timeout=120)[0]) for browser in browsers]
    return told, house.ask(STANDS.format(rule=rule))


def test_many_approve_at_once_and_each_is_done_once(house):
    told, stands = answer_at_once(house, "all approve", ["approve"] * PEOPLE)
    assert len(stands) == SUGGESTIONS
    for pk, (status, answered_by, cap) in stands.items():
        assert (status, cap) == ("applied", 120)
        heard = zip(house.people, told, strict=True)
        assert [person for person, said in heard if said[pk].startswith("Approved")] == [answered_by]
    others = [words for said in told for words in said.values() if not words.startswith("Approved")]
    assert len(others) == SUGGESTIONS * (PEOPLE - 1)
    assert all(words.startswith("Nothing was done: it was approved by") for words in others)


def test_some_approve_while_others_dismiss_and_one_of_them_is_right(house):
    told, stands = answer_at_once(house, "some dismiss", ["approve", "dismiss"] * (PEOPLE // 2))
    for pk, (status, answered_by, cap) in stands.items():
        assert (status, cap) in {("applied", 120), ("dismissed", 100)}
        verb = {"applied": "Approved", "dismissed": "Dismissed"}[status]
        heard = Counter(said[pk].split(":")[0] for said in told)
        assert heard == {verb: 1, "Nothing was done": PEOPLE - 1}
        assert told[house.people.index(answered_by)][pk].startswith(verb)
