"""The buyer guide: everything in it is right for the flow, and its link gives nothing else away."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.signing import Signer
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from feedback import tasks
from feedback.guide import guide_of
from feedback.guide_links import agreement_of, token_of
from feedback.schema import Clean, compile_schema
from flows.explanations import FAULTS, PROBLEMS
from flows.models import Agreement, Delivery, Field, Flow
from flows.presets import PRESETS, set_up_flow
from tests import factories as make

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent.parent
WEIRD = [
    ("policy_type", "choice", ["it's", "a “b”"]),
    ("stage", "choice", ["<b>", "\\"]),
    ("score", "decimal", []),
    ("born", "date", []),
    ("reached", "time", []),
    ("tags", "list", []),
    ("extra", "object", []),
]


class Answer(io.BytesIO):
    status = 201


def flow_of(kind: str) -> Flow:
    """A flow of a preset; ``all_required``: every field must be sent; ``weird``: custom fields only."""
    flow = make.FlowFactory(currency="JPY" if kind == "all_required" else "USD")
    if kind == "weird":
        for name, type_, choices in WEIRD:
            Field.objects.create(flow=flow, name=name, kind=type_, choices=choices, required=True)
        return flow
    set_up_flow(flow, "insurance" if kind == "all_required" else kind)
    if kind == "all_required":
        flow.fields.update(required=True)
        flow.fields.filter(name="reason").update(choices=["Wrong number", "Twice"])
        flow.fields.get(name="outcome").save()  # raises the schema's version
        flow.refresh_from_db()
    return flow


@pytest.fixture(params=[*PRESETS, "all_required", "weird"])
def flow(request, db) -> Flow:
    return flow_of(request.param)


def check(flow: Flow, body: dict) -> None:
    clean = compile_schema(flow).validate(body, now=now())
    assert isinstance(clean, Clean), clean


def test_every_example_is_valid(flow):
    guide = guide_of(flow)
    assert guide.examples
    for example in guide.examples:
        check(flow, json.loads(example.text, parse_float=Decimal))


def test_the_curl_lines_send_valid_bodies(flow):
    guide = guide_of(flow)
    (line,) = (snippet.code for snippet in guide.snippets if snippet.language == "curl")
    words = shlex.split(line)
    assert words[:4] == ["curl", "-X", "POST", guide.endpoint]
    check(flow, json.loads(words[words.index("-d") + 1]))
    batch = shlex.split(guide.batch)
    assert batch[3] == f"{guide.endpoint}/batch"
    for row in json.loads(batch[batch.index("-d") + 1])["feedback"]:
        check(flow, row)


def test_the_python_runs_and_sends_a_valid_body(flow, monkeypatch):
    guide, sent = guide_of(flow), []

    def urlopen(request, timeout):
        sent.append(request)
        return Answer(b"{}")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setenv("LEADLOOP_KEY", "ll_live_x")
    code = next(snippet.code for snippet in guide.snippets if snippet.language == "Python")
    exec(compile(code, "guide", "exec"), {})  # noqa: S102  # our own text
    assert (sent[0].full_url, sent[0].get_method()) == (guide.endpoint, "POST")
    assert sent[0].get_header("X-api-key") == "ll_live_x"
    check(flow, json.loads(sent[0].data))


@pytest.mark.parametrize(
    ("language", "pattern"),
    [("JavaScript", r"const body = (\{.*?\n\});"), ("PHP", r"<<<'JSON'\n(.*?)\nJSON;")],
)
def test_the_other_languages_send_valid_bodies(flow, language, pattern):
    guide = guide_of(flow)
    code = next(snippet.code for snippet in guide.snippets if snippet.language == language)
    assert guide.endpoint in code
    check(flow, json.loads(re.search(pattern, code, re.DOTALL)[1]))


def test_the_file_is_valid(flow):
    schema = compile_schema(flow)
    (row,) = csv.DictReader(io.StringIO(guide_of(flow).csv))
    check(flow, schema.from_texts(row))


def file_code(flow: Flow, language: str) -> str:
    return next(each.code for each in guide_of(flow).file_snippets if each.language == language)


def test_the_python_for_files_sends_one_waits_and_shows_what_was_refused(
    world, live_key, monkeypatch, tmp_path, settings, capsys
):
    settings.MEDIA_ROOT, client = tmp_path / "kept", Client()
    monkeypatch.chdir(tmp_path)
    lines = f"lead_id,outcome\n{world.delivery.public_id},converted\nevt_nowhere,converted\n"
    Path("feedback.csv").write_text(lines)

    def urlopen(request, timeout):
        sent = {"content_type": request.get_header("Content-type", ""), "headers": dict(request.headers)}
        path = request.full_url.removeprefix(settings.BASE_URL)
        answer = client.generic(request.get_method(), path, request.data or b"", **sent)
        assert answer.status_code < 400, answer.content
        reply = Answer(answer.getvalue())
        reply.headers = answer.headers
        return reply

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setattr(time, "sleep", lambda seconds: tasks.sweep_uploads())
    monkeypatch.setenv("LEADLOOP_KEY", live_key)
    exec(compile(file_code(world.flow, "Python"), "guide", "exec"), {})  # noqa: S102  # our own text
    told = capsys.readouterr().out
    assert told.startswith("done None 1 0 1\n")
    assert "evt_nowhere,converted,3," in told
    assert Delivery.objects.get(pk=world.delivery.pk).outcome == "converted"


def test_the_curl_lines_for_files(flow):
    first, second, third = (
        shlex.split(part, comments=True)
        for part in re.split(r"(?=^curl)", file_code(flow, "curl"), flags=re.MULTILINE)[1:]
    )
    assert first[:5] == ["curl", "-i", "-X", "POST", f"{guide_of(flow).endpoint}/uploads"]
    assert first[-2:] == ["--data-binary", "@feedback.csv"]
    assert "Content-Type: text/csv" in first
    assert second[-1] == "http://127.0.0.1:8000LOCATION"
    assert third[-1] == "http://127.0.0.1:8000LOCATION/errors"


@pytest.mark.parametrize("language", ["JavaScript", "PHP"])
def test_the_other_languages_send_files_to_the_same_address(flow, language):
    code = file_code(flow, language)
    for part in (f"{guide_of(flow).endpoint}/uploads", "text/csv", "LEADLOOP_KEY", "errors_url", "Location"):
        assert part in code, part


def test_the_fields_are_the_flows(flow):
    specs = compile_schema(flow).fields
    lines = guide_of(flow).fields
    assert [(line.name, line.required) for line in lines] == [(spec.name, spec.required) for spec in specs]
    by_name = {line.name: line for line in lines}
    for spec in specs:
        assert set(spec.choices) <= set(by_name[spec.name].allowed)


def test_the_flows_terms_are_told(world, as_user):
    text = as_user(world.agent).get(reverse("guide", args=[world.flow.public_id])).content.decode()
    for part in (
        f"POST http://127.0.0.1:8000/flows/{world.flow.public_id}/feedback",
        "X-API-Key",
        "90 days",
        "America/New_York",
        "At most 500 characters",
        "From 1 to 5",
        "Could not be reached",
        "Excellent: a perfect lead",
        "No schedule is agreed",
    ):
        assert part in text, part


def test_a_change_of_a_field_shows_at_once(world, as_user):
    client, url = as_user(world.manager), reverse("guide", args=[world.flow.public_id])
    assert b"policy_type" not in client.get(url).content
    Field.objects.create(flow=world.flow, name="policy_type", kind="choice", choices=["auto"])
    assert b"policy_type" in client.get(url).content


def test_the_schedule_agreed_is_told(world, as_user):
    Agreement.objects.update(schedule="daily")
    world.buyer.timezone = "Europe/Berlin"
    world.buyer.save()
    text = as_user(world.agent).get(reverse("guide", args=[world.flow.public_id])).content.decode()
    assert "Daily: by 9:00 on the day after the delivery. Time zone: Europe/Berlin." in " ".join(text.split())


# --- Codes --------------------------------------------------------------------------------------
CONTRACT = """malformed_json missing_api_key invalid_api_key expired_api_key revoked_api_key key_not_allowed
    feedback_disabled flow_not_found lead_not_found not_found method_not_allowed not_acceptable
    unsupported_media_type request_in_progress body_too_large validation_failed outside_update_window
    idempotency_key_reused rate_limited unavailable""".split()  # noqa: SIM905
CONTRACT_FIELDS = """required unknown_field field_not_allowed invalid_type invalid_outcome out_of_range
    negative_amount too_many_decimals invalid_timestamp timestamp_in_future timestamp_before_delivery too_long
    invalid_choice id_mismatch""".split()  # noqa: SIM905


def test_every_code_of_the_contract_is_explained(world, as_user):
    assert set(CONTRACT) <= set(PROBLEMS)
    assert set(CONTRACT_FIELDS) <= set(FAULTS)
    text = as_user(world.agent).get(reverse("guide", args=[world.flow.public_id])).content.decode()
    for code in (*PROBLEMS, *FAULTS):
        assert f"<code>{code}</code>" in text


def test_every_code_that_stands_in_the_sources_is_explained():
    """A new code needs its words here, else its receiver is told nothing."""
    pattern = re.compile(
        r"(?:refusal\(|Problem\()\s*\d{3},\s*\"([a-z_]+)\"|unauthorised\(\s*\"([a-z_]+)\""
        r"|RefusedError\(\s*\"([a-z_]+)\"|Fault\([^,()]+,\s*\"([a-z_]+)\""
    )
    found = set()
    for folder in ("flows", "feedback"):
        for path in (ROOT / folder).rglob("*.py"):
            for match in pattern.finditer(path.read_text()):
                found |= set(filter(None, match.groups()))
    of_pages = {
        "cannot_be_undone",
        "not_returnable",
        "stale",
        "upload_changed",
        "upload_not_checked",
    }  # told on the page itself, never by the API
    assert len(found) > 25
    assert found - set(PROBLEMS) - set(FAULTS) - of_pages == set()


# --- The link ---------------------------------------------------------------------------------
def link(agreement: Agreement) -> str:
    return reverse("guide-shared", args=[token_of(agreement)])


def test_whoever_has_the_link_can_read_the_guide(world):
    agreement = Agreement.objects.get()
    response = Client().get(link(agreement))
    assert response.status_code == 200
    assert world.flow.name in response.content.decode()
    assert response["X-Robots-Tag"] == "noindex"


def test_the_link_gives_away_no_party_no_lead_no_key_no_amount(world, live_key):
    names = {
        "buyer": "Zebra Solar",
        "seller": "Quokka Leads",
        "source": "Facebook Ypsilon",
    }
    for name, text in names.items():
        row = getattr(world, name)
        row.name = text
        row.save()
    world.delivery.price = Decimal("73.91")
    world.delivery.save()
    text = Client().get(link(Agreement.objects.get())).content.decode()
    lead = world.delivery.lead
    secrets = (*names.values(), world.delivery.public_id, lead.email, lead.last_name, "73.91")
    for secret in (*secrets, live_key, live_key[:16], world.buyer.public_id, world.seller.public_id):
        assert secret not in text


def test_a_link_ends_when_it_is_renewed(world, as_user):
    agreement = Agreement.objects.get()
    old = link(agreement)
    address = reverse("guide-renew", args=[world.flow.public_id, agreement.pk])
    assert as_user(world.manager).post(address).status_code == 302
    agreement.refresh_from_db()
    assert Client().get(old).status_code == 404
    assert Client().get(link(agreement)).status_code == 200


def test_renewing_ends_no_other_buyers_link(world, as_user):
    other = Agreement.objects.create(flow=world.flow, buyer=make.BuyerFactory(seller=world.seller))
    mine = Agreement.objects.exclude(pk=other.pk).get()
    as_user(world.manager).post(reverse("guide-renew", args=[world.flow.public_id, mine.pk]))
    assert Client().get(link(other)).status_code == 200
    refused = as_user(world.manager).post(reverse("guide-renew", args=[world.flow.public_id, other.pk]))
    assert refused.status_code == 404
    assert Client().get(link(other)).status_code == 200


@pytest.mark.parametrize("who", ["agent", "analyst"])
def test_lesser_roles_see_the_link_and_cannot_renew_it(world, as_user, who):
    client, agreement = as_user(getattr(world, who)), Agreement.objects.get()
    page = client.get(reverse("guide", args=[world.flow.public_id])).content.decode()
    assert token_of(agreement) in page
    assert "Renew" not in page
    assert client.post(reverse("guide-renew", args=[world.flow.public_id, agreement.pk])).status_code == 403


def test_the_seller_has_a_link_for_each_buyer_and_a_buyer_only_its_own(world, as_user):
    other = Agreement.objects.create(flow=world.flow, buyer=make.BuyerFactory(seller=world.seller))
    url = reverse("guide", args=[world.flow.public_id])
    assert as_user(world.owner).get(url).content.decode().count("/guide/flw_") == 4  # address and text of two
    page = as_user(world.manager).get(url).content.decode()
    assert token_of(other) not in page
    assert other.buyer.name not in page


@pytest.mark.parametrize("change", ["version", "flow", "agreement", "cut", "other_salt"])
def test_a_made_up_link_opens_nothing(world, other_world, change):
    agreement = Agreement.objects.get(flow=world.flow)
    token = token_of(agreement)
    flow_id, pk, version, signature = token.split(":")
    forged = {
        "version": f"{flow_id}:{pk}:{int(version) + 1}:{signature}",
        "flow": f"{other_world.flow.public_id}:{pk}:{version}:{signature}",
        "agreement": f"{flow_id}:{int(pk) + 1}:{version}:{signature}",
        "cut": token[:-1],
        "other_salt": Signer(salt="elsewhere").sign(f"{flow_id}:{pk}:{version}"),
    }[change]
    assert Client().get(reverse("guide-shared", args=[forged])).status_code == 404


def test_the_link_goes_through_changes_of_the_secret_key(world, settings):
    token = token_of(Agreement.objects.get())
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 60
    assert agreement_of(token) == Agreement.objects.get()
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(Http404):
        agreement_of(token)
