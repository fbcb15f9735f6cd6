"""Files have a worker of their own: however long they take, what should happen within seconds happens."""

from __future__ import annotations

import pytest

from tests.processes import House, fresh_database, wait_until

SET_UP = """
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
Source.objects.create(flow=flow, name="Source", slug="source", base_price=10)
Agreement.objects.create(flow=flow, buyer=buyer)
contacts = {f"evt_{n}": {"email": f"{n}@example.com"} for n in (1, 2)}
leads = [LeadIn("source", "buyer", each, None, evt, None, None) for evt, each in contacts.items()]
assert all(receipt.outcome == "success" for receipt in take_leads(flow, leads))
"""
SEND = """
import json
from django.core.files.base import ContentFile
from feedback import uploads
from feedback.intake import intake
from feedback.stale import hint_recompute
from feedback.submission import Origin, Submission
from flows.models import Flow
from portal.access import Actor

flow = Flow.objects.get()
actor = Actor("buyer", party_id=flow.agreements.get().buyer_id, flow_ids=frozenset({flow.pk}))
uploads.receive(actor, flow, ContentFile(b"lead_id,outcome\\nevt_1,converted\\n", "f.csv"))
(receipt,) = intake(flow, [Submission(0, {"lead_id": "evt_2", "outcome": "converted"})], Origin(actor, "api"))
assert receipt.status == "recorded"
"""
STANDING = """
import json
from feedback.models import SourceDay, StaleMark, Upload
print(json.dumps([StaleMark.objects.count(), SourceDay.objects.count(), Upload.objects.get().status]))
"""


@pytest.fixture
def house(tmp_path):
    with fresh_database(tmp_path) as url:
        house = House(tmp_path, url)
        house.run("manage.py", "migrate", "--verbosity", "0")
        house.ask(SET_UP + "print(json.dumps(0))")
        yield house
        house.close()


def test_a_file_waits_for_its_own_worker_while_cells_are_recomputed(house):
    house.start_worker("leadloop")
    house.ask(SEND + "print(json.dumps(0))")
    wait_until(lambda: house.ask(STANDING) == [0, 1, "queued"], 30)
    house.start_worker("leadloop-long")
    wait_until(lambda: house.ask(STANDING) == [0, 1, "done"], 30)
