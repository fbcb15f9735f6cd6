"""Endpoints in the admin: where a seller's systems hear what happened; made, tried, switched off and on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables

from flows import events, signing, targets
from flows.admin.forms import code, pill
from flows.admin.resending import resend_page
from flows.endpoints import delete, switch_off, switch_on
from flows.models import Endpoint, OutboxMessage
from portal.capped import CappedCount, capped
from portal.object_actions import ObjectAction, Secret, show_once
from portal.scoped_admin import ONE_BUTTON, ScopedForm, ScopedModelAdmin, actor_of_request, change_url

Kind = Endpoint.Kind
Status = OutboxMessage.Status


class EndpointForm(ScopedForm[Endpoint]):
    """Where, of which kind, and what it wants to hear."""

    kind = forms.ChoiceField(
        choices=(
            (Kind.WEBHOOK, "Webhook: JSON with all data, signed (Standard Webhooks)"),
            (Kind.SLACK, "Slack-style: a sentence for a channel (Slack, Mattermost …)"),
        ),
        initial=Kind.WEBHOOK,
        widget=forms.RadioSelect(attrs={"class": "radiolist"}),
    )
    url = forms.CharField(
        label="Address",
        max_length=targets.LONGEST_URL,
        help_text="https://…, as it can be reached from outside. It is looked up and checked anew at each "
        "sending; a redirect counts as a failure.",
        widget=forms.TextInput(attrs={"size": 60, "inputmode": "url", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, f"{name}: {says}") for name, says in events.TYPES.items()],
        required=False,
        help_text="None chosen: every type of event, also those that come later.",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "radiolist"}),
    )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            targets.target_of(url)
        except targets.BlockedError as blocked:
            raise ValidationError(str(blocked)) from None
        return url


def _secret(endpoint: Endpoint, text: str) -> Secret:
    return Secret(
        text=text,
        what=f"The secret of “{endpoint.name}”",
        advice="Give it to the receiver, who checks with it that what comes is from here. "
        "It is shown only this once. If it is lost, rotate it.",
        back=change_url(endpoint),
    )


def _rotate(request: HttpRequest, endpoint: Endpoint, answers: dict[str, Any]) -> Secret:
    return _secret(endpoint, signing.rotate(endpoint, now=timezone.now()))


def _ping(request: HttpRequest, endpoint: Endpoint, answers: dict[str, Any]) -> str:
    message = events.ping(endpoint, now=timezone.now())
    return format_html(
        '“{}” is sent within seconds. <a href="{}">See what was answered</a>.',
        events.PING,
        change_url(message),
    )


def _off(request: HttpRequest, endpoint: Endpoint, answers: dict[str, Any]) -> str:
    switch_off(endpoint)
    return f"“{endpoint.name}” is switched off: nothing is sent to it until you switch it on."


def _on(request: HttpRequest, endpoint: Endpoint, answers: dict[str, Any]) -> str:
    switch_on(endpoint)
    return f"“{endpoint.name}” is switched on. What was given up can be sent again."


@admin.register(Endpoint)
class EndpointAdmin(ScopedModelAdmin[Endpoint]):
    """Where events are sent to."""

    list_display = ("name", "kind", "host", "state", "wants", "waiting", "dead")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    ordering = ("name", "pk")
    form = EndpointForm
    fixed_after_add = ("kind", "seller")
    empty_hint = "Add an address of yours, and your systems are told of feedback, paused sources and more."
    object_actions = (
        ObjectAction(
            "ping",
            "Send a test",
            f"Sends “{events.PING}” there, also while the endpoint is switched off. "
            "The answer shows in the log of its message.",
            _ping,
        ),
        ObjectAction(
            "rotate",
            "Rotate the secret",
            "Makes a new secret. For 24 hours each message is signed with the old one too, so that the "
            "receiver can change over without a gap.",
            _rotate,
            lambda endpoint: endpoint.kind == Kind.WEBHOOK,
        ),
        ObjectAction(
            "off",
            "Switch off",
            "Nothing is sent there any more, and what happens meanwhile is not kept for it.",
            _off,
            lambda endpoint: endpoint.enabled,
            severe=True,
        ),
        ObjectAction(
            "on",
            "Switch on",
            "Events are sent there again from now on. What was given up can be sent again afterwards.",
            _on,
            lambda endpoint: not endpoint.enabled,
        ),
    )

    def get_urls(self) -> Any:
        resend = self.admin_site.admin_view(lambda request, pk: resend_page(self, request, pk))
        return [path("<int:pk>/resend/", resend, name="flows_endpoint_resend"), *super().get_urls()]

    def buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        buttons = super().buttons(request, row)
        if buttons:
            url = reverse("admin:flows_endpoint_resend", args=(row.pk,))
            buttons.append({"label": "Send failed ones again", "url": url, "severe": False})
        return buttons

    def get_fieldsets(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """Analysts see the host alone: for many receivers the whole address is the key."""
        address = "url" if actor_of_request(request).may_configure else "host"
        fields = self._without_seller(request, ("seller", "name", "kind", address, "events"))
        stands = ("public_id", "state", "failing_since", "messages", "created_at")
        return [(None, {"fields": fields}), *([("How it stands", {"fields": stands})] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        shown = ("host", "public_id", "state", "failing_since", "messages", "created_at")
        return (*super().get_readonly_fields(request, obj), *shown)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        of_it = OutboxMessage.objects.filter(endpoint=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                waiting_count=CappedCount(of_it.filter(status=Status.PENDING)),
                dead_count=CappedCount(of_it.filter(status=Status.DEAD)),
            )
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: a secret that is shown once leaves no room for “and then”."""
        return super().add_view(request, form_url, {**ONE_BUTTON, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        if not change:
            obj.secret = signing.new_salt()
        super().save_model(request, obj, form, change)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its messages and their log go with it, by the thousand: counted, not listed."""
        count = OutboxMessage.objects.filter(endpoint__in=objs).count()
        kinds = {"endpoint": len(objs), "messages": count} if count else {"endpoint": len(objs)}
        return [str(each) for each in objs], kinds, set(), []

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        delete(obj, now=timezone.now())

    @sensitive_variables()
    def response_add(
        self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        if obj.kind != Kind.WEBHOOK:
            return super().response_add(request, obj, post_url_continue)
        return show_once(request, self.admin_site, _secret(obj, signing.secret_of(obj)))

    @admin.display(description="Host")
    def host(self, row: Endpoint) -> SafeString:
        return code(urlsplit(row.url).netloc)

    @admin.display(description="State")
    def state(self, row: Endpoint) -> SafeString:
        if not row.enabled:
            why = format_html('<span class="cell-sub">{}</span>', row.disabled_reason)
            return format_html("{}{}", pill("bad", "Switched off"), why if row.disabled_reason else "")
        return pill("warn", "Failing") if row.failing_since else pill("good", "Works")

    @admin.display(description="Events")
    def wants(self, row: Endpoint) -> str:
        return ", ".join(row.events) or "every type"

    @admin.display(description="Waiting")
    def waiting(self, row: Any) -> SafeString:
        return _link(row, Status.PENDING, capped(row.waiting_count))

    @admin.display(description="Given up")
    def dead(self, row: Any) -> SafeString:
        return _link(row, Status.DEAD, capped(row.dead_count))

    @admin.display(description="Messages")
    def messages(self, row: Any) -> SafeString:
        return format_html(
            "{} · {} · {}",
            _link(row, "", "all"),
            _link(row, Status.PENDING, f"{capped(row.waiting_count)} waiting"),
            _link(row, Status.DEAD, f"{capped(row.dead_count)} given up"),
        )


def _link(row: Endpoint, status: str, text: str) -> SafeString:
    """To the messages of this endpoint, of one status or of all."""
    query = f"endpoint__id__exact={row.pk}" + (f"&status__exact={status}" if status else "")
    return format_html('<a href="{}?{}">{}</a>', reverse("admin:flows_outboxmessage_changelist"), query, text)
