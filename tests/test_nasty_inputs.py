"""The 25 nasty inputs, each with the tests that hold its right answer; what has no other room is here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from feedback import tasks, uploads
from feedback.models import Feedback
from tests import factories as make
from tests.portal.test_log_in import LOG_IN

ROOT = Path(__file__).parent
NASTY, READER, STEPS = "feedback/test_nasty.py", "feedback/test_reader.py", "feedback/test_upload_steps.py"
UPLOADS = "feedback/test_uploads.py"

CASES: dict[int, dict[str, str]] = {  # number → file → a name, or the beginning of some
    1: {NASTY: "test_1_"},
    2: {NASTY: "test_2_"},
    3: {NASTY: "test_3_"},
    4: {NASTY: "test_4_"},
    5: {NASTY: "test_5_"},
    6: {NASTY: "test_6_"},
    7: {NASTY: "test_7_"},
    8: {NASTY: "test_8_"},
    9: {NASTY: "test_9_", "flows/test_api_machinery.py": "test_a_chunked_body"},
    10: {NASTY: "test_10_", "flows/test_idempotency.py": "test_the_same_key_with_another_request"},
    11: {NASTY: "test_11_"},
    12: {NASTY: "test_12_"},
    13: {NASTY: "test_13_"},
    14: {NASTY: "test_14_", "flows/test_api_auth.py": "test_a_key_in_the_address"},
    15: {NASTY: "test_15_", "flows/test_keys.py": "test_a_mistyped_key_is_refused_without_a_query"},
    16: {
        NASTY: "test_16_",
        "portal/test_routes.py": "test_a_page_is_open_to_its_people_only",
        STEPS: "test_others_leads_are_never_proposed",
        UPLOADS: "test_another_buyers_flow_is_no_choice",
    },
    17: {
        "feedback/test_leads_page.py": "test_look_ups_of_ones_own_are_ignored",
        "feedback/test_reading.py": "test_a_bad_parameter",
        "portal/test_admin_scope.py": "test_probing_lookups_are_refused",
    },
    18: {NASTY: "test_18_"},
    19: {STEPS: "test_a_cp1252_file", UPLOADS: "test_a_file_from_a_german_spreadsheet"},
    20: {READER: "test_an_unclosed_quote", STEPS: "test_a_fault_far_below_is_found_by_the_check"},
    21: {READER: "test_what_is_no_file", STEPS: "test_what_cannot_be_read_is_refused_and_not_kept"},
    22: {
        "test_nasty_inputs.py": "test_22_",
        UPLOADS: "test_rows_that_contradict_each_other_are_both_refused",
        STEPS: "test_the_same_file_again_records_nothing",
    },
    23: {
        UPLOADS: "test_defused",
        "flows/test_suppression_files.py": "test_a_list_is_exported_without_formulas",
        "reports/test_source_report.py": "test_a_name_that_is_a_formula_is_defused",
    },
    24: {"flows/test_egress.py": "test_"},
    25: {
        "portal/test_log_in.py": "test_an_expired_session_under_htmx",
        "feedback/test_edit.py": "test_a_stale_cell_is_not_saved",
        "flows/test_decision_page.py": "test_what_was_changed_since_is_shown_and_asked_about",
        "test_nasty_inputs.py": "test_25_",
    },
}


@pytest.mark.parametrize("number", range(1, 26))
def test_each_case_has_its_tests(number):
    for path, begins in CASES[number].items():
        tree = ast.parse((ROOT / path).read_text())
        names = [each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
        assert any(re.match(begins, name) for name in names), f"{path} has no {begins}…"


@pytest.fixture(autouse=True)
def fresh_limits():
    """No test uses up another one's tries."""
    cache.clear()


@pytest.fixture
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def test_22_the_same_file_in_another_order_records_nothing(world, folder):
    rows = ["evt_a,converted,5", "evt_b,no_contact,", "evt_c,returned,1"]
    for row in rows:
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=row[:5])
    counts = []
    for order in (rows, rows[::-1]):
        content = "\n".join(["lead_id,outcome,quality_score", *order]).encode()
        actor, file = world.actor(world.agent), SimpleUploadedFile("f.csv", content)
        upload = uploads.receive(actor, world.flow, file)
        tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        counts.append((upload.recorded, upload.unchanged))
    assert counts == [(3, 0), (0, 3)]
    assert Feedback.objects.count() == 3


@pytest.mark.django_db
def test_25_a_made_up_forwarding_header_does_not_reset_the_limit_by_address(client: Client):
    statuses = [
        client.post(LOG_IN, headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(31)
    ]
    assert statuses[-1] == 429


def test_25_a_made_up_forwarding_header_does_not_reset_the_limit_on_log_ins(world, client: Client):
    """Whoever guesses passwords cannot pretend to come from elsewhere each time."""
    for number in range(7):
        headers = {"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": f"203.0.113.{number}"}
        sent = {"login": world.agent.username, "password": "wrong"}
        client.post(LOG_IN, sent, headers=headers)
    right = {"login": world.agent.username, "password": "correct horse"}
    late = client.post(LOG_IN, right, headers={"X-Forwarded-For": "198.51.100.9"})
    assert "Too many wrong tries." in late.text
    assert "_auth_user_id" not in client.session
