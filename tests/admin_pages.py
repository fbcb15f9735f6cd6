"""Walking the admin in tests: one row of every model, and a page's form as a browser would post it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.forms import ModelMultipleChoiceField, MultiWidget
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from feedback.models import BulkChange, ChangeSet, Door, Feedback, SavedView, Upload
from flows import keys
from flows.models import (
    Agreement,
    Alert,
    AlertSettings,
    ApiKey,
    Decision,
    Delivery,
    Endpoint,
    Flow,
    Lead,
    OutboxMessage,
    RequestLog,
    Rule,
    Source,
    SourceChange,
    SuppressionEntry,
    SuppressionList,
)
from portal.access import Role
from portal.models import Buyer, Invitation, Membership, Seller, User
from tests.conftest import World


def url(row_or_model: Any, page: str) -> str:
    """The address of a model's or a row's admin page."""
    meta = row_or_model._meta
    args = (row_or_model.pk,) if isinstance(row_or_model, Model) else ()
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def mark(world: World, token: str) -> None:
    """Write the token into every text by which a row of this world could be told."""
    for row, names in (
        (world.seller, ("name",)),
        (world.flow, ("name",)),
        (world.source, ("name", "status_reason")),
        (world.buyer, ("name",)),
        (world.delivery.lead, ("first_name", "last_name")),
    ):
        for name in names:
            setattr(row, name, f"{token} {name}")
        row.save()
    for person in (world.owner, world.analyst, world.manager, world.agent):
        person.first_name = token
        person.email = f"{token}-{person.pk}@example.com"
        person.save()
    Lead.objects.filter(pk=world.delivery.lead_id).update(email=f"{token}@example.com")
    Delivery.objects.filter(pk=world.delivery.pk).update(public_id=f"evt_{token}", external_id=f"crm-{token}")
    world.delivery.refresh_from_db()


def one_of_each(world: World, token: str) -> dict[type[Model], Model]:
    """A row of every model of the admin that belongs to this world, each with the token in its texts."""
    mark(world, token)
    flow, source, buyer, seller = world.flow, world.source, world.buyer, world.seller
    rule = Rule.objects.create(flow=flow, name=f"{token} rule", metric="average_quality", comparison="below",
                               threshold=3, action="pause_source")  # fmt: skip
    decision = Decision.objects.create(
        flow=flow,
        rule=rule,
        rule_name=f"{token} rule",
        source=source,
        evaluation="1",
        action="pause_source",
        numbers={"outcome": "returned", "lead_id": f"evt_{token}"},
    )
    suppressed = SuppressionList.objects.create(seller=seller, name=f"{token} list", slug="returns")
    key, _ = keys.issue(name=f"{token} key", buyer=buyer)
    change_set = ChangeSet.objects.create(door=Door.API, flow=flow, buyer=buyer, public_id=f"chg_{token}")
    return {
        Seller: seller,
        Buyer: buyer,
        User: world.agent,
        Membership: Membership.objects.get(user=world.agent),
        Invitation: Invitation.objects.create(
            buyer=buyer, role=Role.BUYER_AGENT, email=f"{token}@new.test", digest=token, expires_at=now()
        ),
        Flow: flow,
        Source: source,
        SourceChange: SourceChange.objects.create(
            source=source,
            column="status",
            before="active",
            after="paused",
            reason=f"{token} reason",
            by="hand",
        ),
        Agreement: Agreement.objects.get(flow=flow, buyer=buyer),
        ApiKey: key,
        Rule: rule,
        Decision: decision,
        SuppressionList: suppressed,
        SuppressionEntry: SuppressionEntry.objects.create(
            list=suppressed, kind="email", value=f"{token}@example.com"
        ),
        Alert: Alert.objects.create(
            seller=seller, flow=flow, source=source, level="bad", title=f"{token} alert"
        ),
        AlertSettings: AlertSettings.objects.get(seller=seller),
        Endpoint: Endpoint.objects.create(seller=seller, name=f"{token} endpoint", url="https://x.example"),
        OutboxMessage: OutboxMessage.objects.create(
            seller=seller, kind="email", payload={"to": token}, last_error=f"{token} error"
        ),
        RequestLog: RequestLog.objects.create(
            request_id=f"{token}-1", at=now(), api_key=key, seller=seller, buyer=buyer, flow=flow,
            method="POST", path=f"/flows/{token}/feedback", status=404, code="lead_not_found", duration_ms=9,
            lead_id=f"evt_{token}", body_bytes=2, body="{}",
        ),
        Lead: world.delivery.lead,
        Delivery: world.delivery,
        ChangeSet: change_set,
        BulkChange: BulkChange.objects.create(
            buyer=buyer, kind="set", named=[f"evt_{token}"], texts={"outcome": "converted"}
        ),
        Feedback: Feedback.objects.create(
            public_id=f"fbk_{token}", delivery=world.delivery, change_set=change_set, occurred_at=now(),
            received_at=now(), values={"notes": token}, fingerprint=token, schema_version=1,
        ),
        SavedView: SavedView.objects.create(buyer=buyer, user=world.agent, name=f"{token} view", shared=True),
        Upload: Upload.objects.create(flow=flow, buyer=buyer, filename=f"{token}.csv", file="x.csv", size=1),
    }  # fmt: skip


def note_addition(user: User, row: Model, text: str) -> LogEntry:
    """As if the person had added the row."""
    return LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=text,
        action_flag=ADDITION,
        change_message="",
    )


def filled(client: Client, address: str, **changes: Any) -> dict[str, Any]:
    """What a browser would post from this page after the person has changed these inputs; None: left out."""
    response = client.get(address)
    assert response.status_code == 200, response.status_code
    data: dict[str, Any] = {}
    for form in _forms(response.context):
        for bound in form:
            data |= _inputs(bound)
    data |= changes
    return {name: value for name, value in data.items() if value is not None}


def _forms(context: Any) -> Any:
    yield context["adminform"].form
    for inline in context["inline_admin_formsets"]:
        yield inline.formset.management_form
        yield from inline.formset.forms


def _inputs(bound: Any) -> dict[str, Any]:
    value = bound.value()
    widget = bound.field.widget
    if isinstance(widget, MultiWidget):
        parts = widget.decompress(value)
        return {f"{bound.html_name}_{index}": part or "" for index, part in enumerate(parts)}
    if isinstance(bound.field, ModelMultipleChoiceField) and not value:
        return {}
    if isinstance(value, bool) and type(widget).__name__ == "CheckboxInput":
        return {bound.html_name: "on"} if value else {}
    return {bound.html_name: "" if value is None else value}


def faults(response: Any) -> dict[str, list[str]]:
    """The errors that a page shows, by input; "" for a page that went through."""
    assert response.status_code == 200, (response.status_code, response.headers.get("Location"))
    found: dict[str, list[str]] = dict(response.context["adminform"].form.errors)
    for inline in response.context["inline_admin_formsets"]:
        if inline.formset.non_form_errors():
            found[inline.formset.prefix] = list(inline.formset.non_form_errors())
        for form in inline.formset.forms:
            found |= {f"{form.prefix}-{name}": list(errors) for name, errors in form.errors.items()}
    return found
