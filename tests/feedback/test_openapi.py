"""A flow's OpenAPI document agrees with the code: its addresses, its fields, its answers, its problems."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from feedback import lead_query, uploads
from feedback.models import Upload
from feedback.openapi.addresses import addresses
from feedback.openapi.operations import OPERATIONS
from feedback.openapi.parameters import query_parameters
from feedback.openapi.problems import problem_responses
from feedback.schema import Clean, compile_schema
from flows import keys
from flows.explanations import PROBLEMS
from flows.intake import preview_leads
from flows.lead_forms import from_json
from flows.models import Agreement, Field
from flows.presets import PRESETS, set_up_flow
from portal.models import Buyer
from portal.wsgi import application
from tests import factories as make

ROOT = Path(__file__).parents[2]
FLOW = "/flows/{flow_id}"


def read(flow, key: str) -> dict[str, Any]:
    response = Client().get(f"/flows/{flow.public_id}/openapi.json", headers={"X-API-Key": key})
    assert response.status_code == 200, response.content
    return response.json()


@pytest.fixture
def seller_key(world) -> str:
    return keys.issue(name="Router", seller=world.seller)[1]


@pytest.fixture
def buyers(world, live_key) -> dict[str, Any]:
    return read(world.flow, live_key)


@pytest.fixture
def sellers(world, seller_key) -> dict[str, Any]:
    return read(world.flow, seller_key)


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """JSON Schema draft 2020-12, with the document's components at hand."""
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(value)


def operations(document: dict[str, Any]):
    for path, item in document["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield path, method.upper(), item[method]


def flow_of_preset(preset: str, **more):
    flow = make.FlowFactory(**more)
    set_up_flow(flow, preset)
    buyer = make.AgreementFactory(flow=flow, buyer=make.BuyerFactory(seller=flow.seller)).buyer
    return flow, keys.issue(name="CRM", buyer=buyer)[1]


# --- The document as such ---------------------------------------------------------------------------
@pytest.mark.parametrize("party", ["buyers", "sellers"])
def test_it_is_openapi_3_1(party, request):
    OpenAPIV31SpecValidator(request.getfixturevalue(party)).validate()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_valid_document(db, preset):
    OpenAPIV31SpecValidator(read(*flow_of_preset(preset, currency="JPY"))).validate()


def test_every_component_is_used(buyers, sellers):
    for kind in ("schemas", "headers", "parameters"):
        named = {name for each in (buyers, sellers) for name in each["components"][kind]}
        text = json.dumps([buyers, sellers])
        assert named == {name for name in named if f'"#/components/{kind}/{name}"' in text}


def test_the_three_ways_to_send_a_key(buyers):
    schemes = buyers["components"]["securitySchemes"]
    assert schemes["ApiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert {each.get("scheme") for each in schemes.values()} == {None, "bearer", "basic"}
    assert buyers["security"] == [{"ApiKey": []}, {"Bearer": []}, {"Basic": []}]


# --- Held against the addresses -----------------------------------------------------------------------
def test_every_method_of_every_address_is_described_and_nothing_else():
    served = {(path, name) for path, endpoint in addresses().items() for name in endpoint.methods}
    assert served == set(OPERATIONS)


@pytest.mark.parametrize("party", ["buyer", "seller"])
def test_a_key_is_shown_what_its_party_may_use(party, request):
    document = request.getfixturevalue(f"{party}s")
    mine = {
        (path, name)
        for path, endpoint in addresses().items()
        for name, method in endpoint.methods.items()
        if method.party in (party, "any")
    }
    assert {(path, method) for path, method, _ in operations(document)} == mine


def test_the_path_is_of_this_flow(world, buyers):
    for path, item in buyers["paths"].items():
        assert path.startswith(f"{FLOW}/")
        assert item["parameters"][0]["schema"] == {"type": "string", "const": world.flow.public_id}


def test_the_parameters_of_the_list_are_those_that_it_takes(world, live_key, buyers):
    def names(document) -> set[str]:
        return {
            each["name"] for each in document["paths"][f"{FLOW}/leads"]["get"]["parameters"] if "in" in each
        }

    assert names(buyers) == set(lead_query.NAMES)
    Agreement.objects.update(shows_source=False)
    hidden = read(world.flow, live_key)
    assert names(hidden) == set(lead_query.NAMES) - {"source"}
    assert hidden["components"]["schemas"]["Lead"]["properties"]["source"]["type"] == "null"
    asked = {name for operation in OPERATIONS.values() for name in operation.query}
    assert asked == query_parameters(world.flow).keys()


def test_another_tenants_flow_has_no_document(world, other_world, live_key):
    answer = Client().get(
        f"/flows/{other_world.flow.public_id}/openapi.json", headers={"X-API-Key": live_key}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "flow_not_found")


# --- Held against the fields --------------------------------------------------------------------------
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_every_example_of_feedback_is_taken(db, preset, currency):
    flow, key = flow_of_preset(preset, currency=currency)
    document = read(flow, key)
    feedback = document["components"]["schemas"]["Feedback"]
    assert compile_schema(flow).by_name.keys() < feedback["properties"].keys()
    body = document["paths"][f"{FLOW}/feedback"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    said = {name: value for name, value in body.items() if name != "feedback_timestamp"}
    singles = [
        {**said, name: example}
        for name, field in feedback["properties"].items()
        for example in field.get("examples", ())
    ]
    assert len(singles) == len(compile_schema(flow).fields)
    for each in [body, *singles]:
        assert isinstance(compile_schema(flow).validate(each, now=now()), Clean), each


def test_the_document_follows_the_fields(world, live_key):
    before = read(world.flow, live_key)
    Field.objects.create(flow=world.flow, name="policy", kind="choice", choices=["auto"], required=True)
    after = read(world.flow, live_key)
    assert before["info"]["version"] != after["info"]["version"]
    feedback = after["components"]["schemas"]["Feedback"]
    assert feedback["properties"]["policy"]["enum"] == ["auto"]
    assert feedback["required"] == ["policy"]
    assert "policy" in after["components"]["schemas"]["LeadState"]["properties"]["fields"]["properties"]


def test_a_flow_without_fields_has_a_document(db):
    flow = make.FlowFactory()
    buyer = make.AgreementFactory(flow=flow, buyer=make.BuyerFactory(seller=flow.seller)).buyer
    OpenAPIV31SpecValidator(read(flow, keys.issue(name="CRM", buyer=buyer)[1])).validate()


# --- Held against requests and answers ------------------------------------------------------------------
@pytest.mark.parametrize("party", ["buyers", "sellers"])
def test_every_example_has_its_shape(party, request):
    document, seen = request.getfixturevalue(party), 0
    for _, _, operation in operations(document):
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (kind for each in contents for kind in each.get("content", {}).values()):
            shown = [each["value"] for each in content.get("examples", {}).values()]
            for example in [*shown, *([content["example"]] if "example" in content else [])]:
                check(document, content["schema"], example)
                seen += 1
    assert seen >= (10 if party == "buyers" else 4)


class Checked:
    """A client whose every answer is held against the document."""

    def __init__(self, document: dict[str, Any], key: str, flow) -> None:
        self.document, self.key, self.flow, self.client = document, key, flow, Client()

    def send(self, method: str, path: str, body: Any = None, query: str = "", kind: str = "", **parts: str):
        """→ the answer; ``path`` as the document has it, its ``parts`` by name."""
        address = f"{FLOW}{path}".format(flow_id=self.flow.public_id, **parts) + query
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = kind or ("application/json" if data else "")
        headers = {"X-API-Key": self.key}
        answer = self.client.generic(method, address, data, headers=headers, CONTENT_TYPE=kind)
        said = self.document["paths"][FLOW + path][method.lower()]["responses"][str(answer.status_code)]
        content = said["content"][answer["Content-Type"]]
        check(self.document, content["schema"], answer.json())
        for name in said["headers"]:
            assert name in answer.headers or name == "Idempotent-Replayed"
        return answer


def test_answers_to_buyers_have_the_shapes_of_the_document(world, buyers, live_key, lead):
    client = Checked(buyers, live_key, world.flow)
    everything = {
        "lead_id": lead,
        "outcome": "converted",
        "converted": True,
        "quality_score": 5,
        "revenue": 1500,
        "commission": "10",
        "contacted_date": now().isoformat(),
        "reason": "x",
        "notes": "y",
        "issues": ["z"],
        "product_details": {"a": 1},
    }
    assert client.send("POST", "/feedback", everything).status_code == 201
    assert client.send("POST", "/feedback", everything).status_code == 200
    assert client.send("POST", "/feedback", {"lead_id": "evt_test", "outcome": "returned"}).status_code == 200
    assert client.send("POST", "/feedback", {"lead_id": lead, "outcome": "sold"}).status_code == 422
    assert client.send("POST", "/feedback", {"lead_id": "evt_0", "notes": "x"}).status_code == 404
    assert client.send("POST", "/feedback", b"{").status_code == 400
    rows = [everything, {"lead_id": lead, "outcome": "contacted"}, {"lead_id": "x"}, {"lead_id": "evt_test"}]
    rows.append({"lead_id": "evt_test", "notes": "x"})
    assert client.send("POST", "/feedback/batch", {"feedback": rows}).status_code == 200
    assert client.send("POST", "/feedback/batch", {"feedback": []}).status_code == 422
    assert client.send("GET", "/leads").json()["leads"]
    assert client.send("GET", "/leads", query="?delivered_from=2026-01-01T00:00:00").json()["warnings"]
    assert client.send("GET", "/leads", query="?limit=0&page=2").status_code == 422
    assert client.send("GET", "/leads/{lead_id}", lead_id=lead).status_code == 200
    assert client.send("GET", "/leads/{lead_id}", lead_id="evt_0").status_code == 404
    assert client.send("GET", "/leads/{lead_id}/feedback", lead_id=lead).json()["feedback"]
    assert client.send("GET", "/openapi.json").status_code == 200
    answers_about_uploads(client, lead)
    Agreement.objects.update(shows_source=False, shows_price=False, shows_contact=False)
    hidden = Checked(read(world.flow, live_key), live_key, world.flow)
    assert hidden.send("GET", "/leads/{lead_id}", lead_id=lead).json()["contact"] is None
    world.flow.feedback_enabled = False
    world.flow.save()
    assert client.send("POST", "/feedback", everything).status_code == 403


def answers_about_uploads(client: Checked, lead: str) -> None:
    text = f"lead_id,notes\n{lead},From a file\nevt_0,x\n"
    sent = client.send("POST", "/feedback/uploads", text.encode(), kind="text/csv")
    upload_id = sent.json()["upload_id"]
    assert client.send("POST", "/feedback/uploads/{upload_id}/undo", upload_id=upload_id).status_code == 409
    assert client.send("GET", "/feedback/uploads/{upload_id}", upload_id=upload_id).json()["rows"] is None
    uploads.run(Upload.objects.get().pk)
    assert client.send("GET", "/feedback/uploads/{upload_id}", upload_id=upload_id).json()["recorded"] == 1
    undone = client.send("POST", "/feedback/uploads/{upload_id}/undo", upload_id=upload_id)
    assert undone.json()["status"] == "undone"
    assert client.send("POST", "/feedback/uploads", b"{}").status_code == 415
    assert client.send("POST", "/feedback/uploads", b"", kind="text/csv").status_code == 422
    for path in ("", "/errors"):
        none = client.send("GET", "/feedback/uploads/{upload_id}" + path, upload_id="upl_0")
        assert none.status_code == 404
    history = client.send("GET", "/leads/{lead_id}/feedback", lead_id=lead).json()["feedback"]
    assert any(each["retracts"] for each in history)


def test_answers_to_sellers_have_the_shapes_of_the_document(world, sellers, seller_key):
    client = Checked(sellers, seller_key, world.flow)
    example = sellers["paths"][f"{FLOW}/leads"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert client.send("POST", "/leads", example).status_code == 201
    assert client.send("POST", "/leads", example).json()["reason"] == "duplicate"
    assert client.send("POST", "/leads", {}).status_code == 422
    assert client.send("GET", "/routing").json()["sources"]
    assert client.send("GET", "/routing/{source}", source=world.source.slug).status_code == 200
    assert client.send("GET", "/routing/{source}", source="no-such").status_code == 404


def test_the_example_of_a_lead_can_be_sold(world, sellers):
    example = sellers["paths"][f"{FLOW}/leads"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert Buyer.objects.filter(slug=example["buyer"]).exists()
    (receipt,) = preview_leads(world.flow, [from_json(example, world.flow)])
    assert receipt.outcome == "success"


CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@pytest.fixture
def one_connection():
    """Requests through WSGI leave the test's connection, and its transaction, open."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("party", ["buyer", "seller"])
def test_whatever_is_sent_the_answer_is_one_of_the_document(world, live_key, seller_key, party, mode):
    sent = {"X-API-Key": live_key if party == "buyer" else seller_key}
    address = f"/flows/{world.flow.public_id}/openapi.json"
    schema = schemathesis.openapi.from_wsgi(address, application, headers=sent)
    for result in schema.get_all_operations():

        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(result.ok().as_strategy(generation_mode=mode))
        def talk(case):
            case.validate_response(case.call(headers=sent), checks=CHECKS)

        talk()


# --- Held against the problems ------------------------------------------------------------------------
# Problems of other doors than the API, and what is given out row by row.
ELSEWHERE = {
    "cannot_be_undone",
    "not_returnable",
    "stale",
    "not_recorded",
    "upload_changed",
    "upload_not_checked",
}


def raised() -> set[tuple[int, str]]:
    """Status and code of every problem that is made in the code with both spelt out."""
    found = set()
    for path in [*ROOT.glob("flows/**/*.py"), *ROOT.glob("feedback/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                "Problem",
                "refusal",
            ):
                values = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                if len(values) == 2:
                    found.add(tuple(values))
    return found


def test_every_problem_of_the_code_is_explained_with_its_status():
    made = {(status, code) for status, code in raised() if code not in ELSEWHERE}
    assert (404, "lead_not_found") in made
    assert made <= {(each.status, code) for code, each in PROBLEMS.items()}


def test_every_problem_can_be_found_in_a_document(buyers, sellers):
    text = json.dumps(buyers["paths"]) + json.dumps(sellers["paths"])
    missing = [code for code in PROBLEMS if f"`{code}`" not in text]
    assert missing == ["method_not_allowed", "not_recorded"]


def test_a_problem_comes_with_its_headers():
    answers = problem_responses(["rate_limited", "missing_api_key", "unavailable"], {})
    assert answers.keys() == {"401", "429", "503"}
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} < answers["429"]["headers"].keys()
    assert "WWW-Authenticate" in answers["401"]["headers"]


def test_posts_can_be_repeated_and_reads_need_no_key_for_it(buyers):
    for _, method, operation in operations(buyers):
        taken = {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
        assert taken == (method == "POST")
        assert ("409" in operation["responses"]) == (method == "POST")
