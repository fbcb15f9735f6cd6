"""Every route of the house: who may use it, by which methods, and how to build its address.

A new route belongs into one of the tables below, else `test_routes.py` fails. What has arguments is
built from one row of every model (`tests.admin_pages.one_of_each`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from feedback.models import BulkChange, ChangeSet, Feedback, ReturnEvidence, ReturnRequest, SavedView, Upload
from flows.models import Agreement, Alert, ApiKey, Decision, Delivery, Flow, RequestLog, Rule, Source
from portal.models import Invitation, Membership

Rows = dict[type, Any]
Args = Callable[[Rows], tuple]

SELLERS = frozenset({"owner", "analyst"})
OWNER = frozenset({"owner"})
MANAGERS = frozenset({"owner", "manager"})
BUYERS = frozenset({"manager", "agent"})
EVERYBODY = SELLERS | BUYERS
READ = frozenset({"GET", "HEAD"})
POST = frozenset({"POST"})


def no_args(rows: Rows) -> tuple:
    return ()


def of(model: type, attribute: str = "public_id") -> Args:
    """The argument that names this world's row of ``model``."""
    return lambda rows: (getattr(rows[model], attribute),)


def of_lead(rows: Rows) -> tuple:
    return rows[Flow].public_id, rows[Delivery].public_id


def of_event(rows: Rows) -> tuple:
    return rows[Delivery].public_id, rows[Feedback].public_id


def of_evidence(rows: Rows) -> tuple:
    return rows[ReturnRequest].public_id, rows[ReturnEvidence].public_id


def of_agreement(rows: Rows) -> tuple:
    return rows[Flow].public_id, rows[Agreement].pk


def of_upload(rows: Rows) -> tuple:
    return rows[Flow].public_id, rows[Upload].public_id


@dataclass(frozen=True)
class Page:
    """A page for people. ``who``: the personas of the row's own world that may use it."""

    who: frozenset[str]
    methods: frozenset[str] = READ
    args: Args = no_args

    @property
    def owned(self) -> bool:
        """Whether the address names a row, which is nobody else's."""
        return self.args is not no_args


@dataclass(frozen=True)
class Api:
    """An endpoint of one party's API keys; ``either`` where both parties have a use for it."""

    party: dict[str, str]  # method → seller, buyer, either
    args: Args = field(default=of(Flow))


@dataclass(frozen=True)
class Admin:
    """What an owner may do with a model, beside looking; ``actions``: its further pages."""

    may: str = ""
    actions: tuple[str, ...] = ()


ODD_METHODS = ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")
# An address below one of ours that is none: a key first, then 404.
ELSEWHERE = {**{method: {401} for method in (*READ, *POST, "PUT", "PATCH", "DELETE")}, "OPTIONS": {204}}
# For everybody, logged in or not: method → the statuses that a stranger gets.
PUBLIC: dict[str, dict[str, set[int]]] = {
    "healthz": {"GET": {200}, "HEAD": {200}},
    "readyz": {"GET": {200}, "HEAD": {200}},
    "home": {"GET": {302}, "HEAD": {302}},
    "account_login": {"GET": {200}, "HEAD": {200}, "POST": {200}, "PUT": {200}},
    "account_logout": {"GET": {302}, "HEAD": {302}, "POST": {302}},
    "account_inactive": {"GET": {200}, "HEAD": {200}},
    "account_reset_password": {"GET": {200}, "HEAD": {200}, "POST": {200}, "PUT": {200}},
    "account_reset_password_done": {"GET": {200}, "HEAD": {200}},
    "account_reset_password_from_key": {method: {200} for method in (*READ, *POST, "PUT", "PATCH", "DELETE")},
    "account_reset_password_from_key_done": {"GET": {200}, "HEAD": {200}},
    "guide-shared": {"GET": {404}, "HEAD": {404}},
    "join": {method: {410} for method in (*READ, *POST)},
    "mfa_authenticate": {method: {302} for method in (*READ, *POST, "PUT", "PATCH", "DELETE")},
    "mfa_login_webauthn": {method: {302} for method in (*READ, *POST, "PUT")},
    # Its own way of answering: tests/feedback/test_leadconduit.py
    "suppression-exists": {"GET": {401}, "HEAD": {401}, "OPTIONS": {204}, "POST": {405}, "DELETE": {405}},
    "suppression-items": {"POST": {401}, "DELETE": {401}, "OPTIONS": {204}, "GET": {405}, "HEAD": {405}},
    "suppression-exists-other": ELSEWHERE,
    "suppression-items-other": ELSEWHERE,
    "leadconduit-feedback": {"GET": {401}, "POST": {401}, **{method: {415} for method in ODD_METHODS}},
}
PUBLIC_ARGS: dict[str, tuple] = {
    "suppression-exists": ("returns", "a@example.com"),
    "suppression-items": ("returns",),
    "suppression-exists-other": ("/returns/",),
    "suppression-items-other": ("/returns",),
    "account_reset_password_from_key": ("1", "no-such-key"),
    "guide-shared": ("no-such-link",),
    "join": ("no-such-token",),
}

# About the account of whoever is logged in: what they do not have is not there. Arguments by name.
PERSONAL: dict[str, tuple] = {
    "totp-qr": (),
    "session-end": (987654321,),
    "mfa_deactivate_totp": (),
    "mfa_view_recovery_codes": (),
    "mfa_download_recovery_codes": (),
    "mfa_reauthenticate": (),
    "mfa_reauthenticate_webauthn": (),
    "mfa_edit_webauthn": (987654321,),
    "mfa_remove_webauthn": (987654321,),
}

PAGES: dict[str, Page] = {
    "membership": Page(EVERYBODY, POST),
    "account_reauthenticate": Page(EVERYBODY, READ | POST | {"PUT"}),
    "account_change_password": Page(EVERYBODY, READ | POST | {"PUT"}),
    "preferences": Page(EVERYBODY, READ | POST),
    "preferences-keys": Page(EVERYBODY, POST),
    "mfa_index": Page(EVERYBODY),
    "mfa_activate_totp": Page(EVERYBODY, READ | POST | {"PUT", "PATCH", "DELETE"}),
    "mfa_generate_recovery_codes": Page(EVERYBODY, READ | POST | {"PUT", "PATCH", "DELETE"}),
    "mfa_list_webauthn": Page(EVERYBODY),
    "mfa_add_webauthn": Page(EVERYBODY, READ | POST | {"PUT", "PATCH", "DELETE"}),
    "usersessions_list": Page(EVERYBODY),
    "sessions-end-others": Page(EVERYBODY, POST),
    "team": Page(EVERYBODY),
    "team-invite": Page(MANAGERS, POST),
    "team-resend": Page(MANAGERS, POST, args=of(Invitation, "pk")),
    "team-withdraw": Page(MANAGERS, POST, args=of(Invitation, "pk")),
    "team-role": Page(MANAGERS, POST, args=of(Membership, "pk")),
    "team-remove": Page(MANAGERS, READ | POST, args=of(Membership, "pk")),
    "lead-list": Page(BUYERS),
    "lead-detail": Page(BUYERS, args=of(Delivery)),
    "lead-edit": Page(BUYERS, READ | POST, args=of(Delivery)),
    "view-list": Page(BUYERS, READ | POST),
    "view-detail": Page(BUYERS, READ | POST, args=of(SavedView, "pk")),
    "view-update": Page(BUYERS, POST, args=of(SavedView, "pk")),
    "view-delete": Page(BUYERS, POST, args=of(SavedView, "pk")),
    "lead-own-id": Page(BUYERS, READ | POST, args=of(Delivery)),
    "feedback-take-back": Page(BUYERS, READ | POST, args=of_event),
    "feedback-restore": Page(BUYERS, READ | POST, args=of_event),
    "feedback-correct": Page(BUYERS, READ | POST, args=of_event),
    "bulk-create": Page(BUYERS, READ | POST),
    "bulk-count": Page(BUYERS),
    "bulk-detail": Page(BUYERS, READ | POST, args=of(BulkChange)),
    "bulk-confirm": Page(BUYERS, POST, args=of(BulkChange)),
    "bulk-progress": Page(BUYERS, args=of(BulkChange)),
    "history": Page(BUYERS),
    "change-set-detail": Page(BUYERS, args=of(ChangeSet)),
    "change-set-undo": Page(BUYERS, READ | POST, args=of(ChangeSet)),
    "keyboard": Page(BUYERS),
    "upload-list": Page(BUYERS),
    "upload-create": Page(BUYERS, READ | POST),
    "upload-template": Page(BUYERS, args=of(Flow)),
    "upload-detail": Page(BUYERS, args=of(Upload)),
    "upload-progress": Page(BUYERS, args=of(Upload)),
    "upload-errors": Page(BUYERS, args=of(Upload)),
    "return-ask": Page(BUYERS, READ | POST, args=of(Delivery)),
    "return-list": Page(EVERYBODY),
    "return-decide": Page(OWNER, READ | POST),
    "credit-list": Page(EVERYBODY),
    "credit-csv": Page(EVERYBODY),
    "return-detail": Page(EVERYBODY, args=of(ReturnRequest)),
    "return-message": Page(OWNER | BUYERS, POST, args=of(ReturnRequest)),
    "return-withdraw": Page(BUYERS, READ | POST, args=of(ReturnRequest)),
    "return-reopen": Page(OWNER, READ | POST, args=of(ReturnRequest)),
    "return-replace": Page(OWNER, POST, args=of(ReturnRequest)),
    "return-evidence": Page(EVERYBODY, args=of_evidence),
    "developers": Page(BUYERS),
    "key-list": Page(frozenset({"manager"})),
    "key-create": Page(frozenset({"manager"}), READ | POST),
    "key-edit": Page(frozenset({"manager"}), READ | POST, args=of(ApiKey, "pk")),
    "key-rotate": Page(frozenset({"manager"}), READ | POST, args=of(ApiKey, "pk")),
    "key-revoke": Page(frozenset({"manager"}), READ | POST, args=of(ApiKey, "pk")),
    "guides": Page(BUYERS),
    "request-list": Page(BUYERS),
    "request-detail": Page(BUYERS, args=of(RequestLog, "pk")),
    "integration-test": Page(BUYERS, READ | POST),
    "guide": Page(EVERYBODY, args=of(Flow)),
    "guide-renew": Page(frozenset({"owner", "manager"}), POST, args=of_agreement),
    "upload-undo": Page(BUYERS, READ | POST, args=of(Upload)),
    "upload-columns": Page(BUYERS, READ | POST, args=of(Upload)),
    "upload-reading": Page(BUYERS, POST, args=of(Upload)),
    "upload-afresh": Page(BUYERS, POST, args=of(Upload)),
    "upload-check": Page(BUYERS, READ | POST, args=of(Upload)),
    "upload-matches": Page(BUYERS, READ | POST, args=of(Upload)),
    "upload-confirm": Page(BUYERS, POST, args=of(Upload)),
    "upload-discard": Page(BUYERS, READ | POST, args=of(Upload)),
    "dashboard": Page(SELLERS),
    "source-report": Page(SELLERS),
    "source-report-csv": Page(SELLERS),
    "my-numbers": Page(BUYERS),
    "my-numbers-csv": Page(BUYERS),
    "rule-backtest": Page(SELLERS, args=of(Rule, "pk")),
    "rule-try": Page(OWNER, POST, args=of(Rule, "pk")),
    "rule-try-new": Page(OWNER, POST),
    "decision-list": Page(SELLERS),
    "decision-detail": Page(SELLERS, args=of(Decision, "pk")),
    "decision-approve": Page(OWNER, READ | POST, args=of(Decision, "pk")),
    "decision-dismiss": Page(OWNER, READ | POST, args=of(Decision, "pk")),
    "decision-undo": Page(OWNER, READ | POST, args=of(Decision, "pk")),
    "alert-list": Page(SELLERS),
    "alert-read-all": Page(SELLERS, POST),
    "alert-read": Page(SELLERS, POST, args=of(Alert, "pk")),
}

APIS: dict[str, Api] = {
    "api-feedback": Api({"POST": "buyer"}),
    "api-feedback-batch": Api({"POST": "buyer"}),
    "api-uploads": Api({"POST": "buyer"}),
    "api-upload": Api({"GET": "buyer"}, args=of_upload),
    "api-upload-errors": Api({"GET": "buyer"}, args=of_upload),
    "api-upload-undo": Api({"POST": "buyer"}, args=of_upload),
    "api-leads": Api({"GET": "buyer", "POST": "seller"}),
    "api-lead": Api({"GET": "buyer"}, args=of_lead),
    "api-lead-feedback": Api({"GET": "buyer"}, args=of_lead),
    "api-openapi": Api({"GET": "either"}),
    "api-routing": Api({"GET": "seller"}),
    "api-routing-source": Api({"GET": "seller"}, args=lambda rows: (rows[Flow].public_id, rows[Source].slug)),
}

# Pages of the admin that are no model's.
ADMIN_PAGES: dict[str, tuple[int, tuple]] = {  # name → what a seller gets, arguments
    "admin:index": (200, ()),
    "admin:login": (302, ()),
    "admin:password_change": (302, ()),
    "admin:password_change_done": (302, ()),
    "admin:autocomplete": (403, ()),  # asks for its parameters
    "admin:jsi18n": (200, ()),
    "admin:app_list": (200, ("flows",)),
}
ADMIN_LOGOUT = "admin:logout"

MODELS: dict[str, Admin] = {
    "portal_seller": Admin("nothing"),  # for operators
    "portal_buyer": Admin("add change delete"),
    "portal_membership": Admin("add change delete"),
    "portal_user": Admin("change", actions=("link", "password")),
    "flows_flow": Admin("add change delete", actions=("pattern",)),
    "flows_source": Admin("add change delete", actions=("pause", "resume", "pause_for", "resume_for")),
    "flows_sourcechange": Admin(),
    "flows_agreement": Admin("add change delete"),
    "flows_apikey": Admin("add change", actions=("rotate", "revoke")),
    "flows_rule": Admin("add change delete"),
    "flows_suppressionlist": Admin("add change delete", actions=("import", "export")),
    "flows_suppressionentry": Admin("add delete", actions=("expire",)),
    "flows_decision": Admin(),
    "flows_alert": Admin(),
    "flows_alertsettings": Admin("change"),
    "flows_endpoint": Admin("add change delete", actions=("ping", "rotate", "off", "on", "resend")),
    "flows_outboxmessage": Admin(actions=("again",)),
    "flows_requestlog": Admin(),
    "flows_lead": Admin(),
    "flows_delivery": Admin(),
    "feedback_feedback": Admin(),
    "feedback_changeset": Admin(),
    "feedback_upload": Admin(),
}
ROW_PAGES = ("change", "history", "delete")
