"""API keys in the admin: made, rotated, revoked; the key itself is shown once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone_name
from django.views.decorators.debug import sensitive_variables

from flows import keys
from flows.admin.forms import code, pill
from flows.key_rules import (
    OverlapForm,
    first_call,
    flows_of,
    keep_the_limit,
    kind_field,
    may_rotate,
    opens,
    still_to_come,
    usable,
)
from flows.models import ApiKey
from portal.account_admin import only_operators
from portal.models import Seller
from portal.object_actions import ObjectAction, Secret, show_once
from portal.scoped_admin import ONE_BUTTON, ScopedForm, ScopedModelAdmin, change_url

SHOWN = ("party", "kind", "opens", "state", "prefix_shown", "created_at", "last_used_at", "replaced_by")


class KeyForm(ScopedForm[ApiKey]):
    """Whose key, for what. Without a buyer it is the seller's own."""

    class Meta:
        model = ApiKey
        fields = ("name", "seller", "buyer", "livemode", "flows", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "livemode" in self.fields:
            self.fields["livemode"] = kind_field(**{"class": "radiolist"})
        if "expires_at" in self.fields:
            zone = get_current_timezone_name()
            expiry: Any = self.fields["expires_at"]
            expiry.help_text = f"Empty: never. The time is read in {zone}."
            for part, widget in zip(("Date", "Time"), expiry.widget.widgets, strict=True):
                widget.attrs["aria-label"] = f"{part} of expiry"
        if self.instance.pk and "flows" in self.fields:
            self.fields["flows"].queryset = flows_of(self.instance)  # type: ignore[attr-defined]
            if not self.instance.all_flows:
                self.fields["flows"].help_text = "The only flows that this key opens."

    def clean_expires_at(self) -> dt.datetime | None:
        expires: dt.datetime | None = self.cleaned_data["expires_at"]
        still_to_come(expires, changed="expires_at" in self.changed_data)
        return expires

    def clean_flows(self) -> Any:
        chosen = self.cleaned_data["flows"]
        offered = bool(self.fields["flows"].queryset)  # type: ignore[attr-defined]
        keep_the_limit(self.instance, chosen, offered=offered, changed="flows" in self.changed_data)
        return chosen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.instance.pk:
            self._set_party(cleaned)
        allowed = set(flows_of(self.instance))
        strange = [flow.name for flow in cleaned.get("flows") or () if flow not in allowed]
        if strange and "buyer" not in self.errors:
            self.add_error("flows", f"The key's owner has no agreement on {', '.join(strange)}.")
        return cleaned

    def _set_party(self, cleaned: dict[str, Any]) -> None:
        """One party: the buyer, else the seller."""
        if cleaned.get("buyer"):
            cleaned["seller"] = None
        elif self.actor.is_seller:
            cleaned["seller"] = Seller.objects.get(pk=self.actor.party_id or 0)
        elif not cleaned.get("seller"):
            self.add_error("seller", "Choose a seller or a buyer.")
        self.instance.seller, self.instance.buyer = cleaned.get("seller"), cleaned.get("buyer")


def _secret(key: ApiKey, text: str) -> Secret:
    kind = "live" if key.livemode else "test"
    return Secret(
        text=text,
        what=f"The {kind} key “{key.name}” of {key.buyer or key.seller}",
        advice="Copy it now and keep it safe: it is shown only this once. If it is lost, make another.",
        back=change_url(key),
        command=first_call(key, text),
    )


def _rotate(request: HttpRequest, key: ApiKey, answers: dict[str, Any]) -> Secret:
    return _secret(*keys.rotate(key, overlap=dt.timedelta(days=answers["days"])))


def _revoke(request: HttpRequest, key: ApiKey, answers: dict[str, Any]) -> str:
    keys.revoke(key)
    return f"“{key.name}” is revoked: nobody gets in with it any more."


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedModelAdmin[ApiKey]):
    """Credentials of the seller and of its buyers."""

    list_display = ("name", "party", "kind", "state", "prefix_shown", "last_used_at", "expires_at")
    list_filter = ("livemode", "buyer", "flows")
    list_select_related = ("seller", "buyer")
    search_fields = ("name", "prefix__startswith")
    search_help_text = "Name, or the beginning of the key"
    ordering = ("-pk",)
    form = KeyForm
    may_delete = False
    empty_hint = "Buyers send feedback with a key, you send leads in with your own. A new key is shown once."
    object_actions = (
        ObjectAction(
            "rotate",
            "Rotate",
            "Makes a new key with the same rights. Both work for a while, so that nothing breaks.",
            _rotate,
            may_rotate,
            OverlapForm,
        ),
        ObjectAction(
            "revoke",
            "Revoke",
            "Stops the key at once and for good. Whoever uses it is refused from then on.",
            _revoke,
            lambda key: key.revoked_at is None,
            severe=True,
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            seller = ("seller",) if only_operators(request) else ()
            return ((None, {"fields": ("name", *seller, "buyer", "livemode", "flows", "expires_at")}),)
        return (None, {"fields": ("name", "flows", "expires_at")}), ("This key", {"fields": SHOWN})

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ()
        return SHOWN

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "buyer" and not only_operators(request):
            field.empty_label = "Our own systems (to send leads in)"
            field.label = "Who will use it"
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, widget=forms.CheckboxSelectMultiple(attrs={"class": "radiolist"}), **kwargs
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: a key that is shown once leaves no room for “and then”."""
        return super().add_view(request, form_url, {**ONE_BUTTON, **(extra_context or {})})

    @sensitive_variables("text")
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A new key is issued; its text lives on this object, for the answer to this request only."""
        given = form.cleaned_data
        if change:
            obj.all_flows = obj.all_flows and not given["flows"]
            super().save_model(request, obj, form, change)
            return
        wanted = {name: given[name] for name in ("name", "livemode", "expires_at")}
        key, text = keys.issue(seller=obj.seller, buyer=obj.buyer, flows=given["flows"] or None, **wanted)
        obj.__dict__.update(key.__dict__)
        obj.text_once = text

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        return show_once(request, self.admin_site, _secret(obj, obj.text_once))

    @admin.display(description="Belongs to")
    def party(self, key: ApiKey) -> str:
        return str(key.buyer) if key.buyer_id else f"{key.seller} (own)"

    @admin.display(description="Kind")
    def kind(self, key: ApiKey) -> str:
        return "Live" if key.livemode else "Test"

    @admin.display(description="Opens")
    def opens(self, key: ApiKey) -> str:
        return opens(key)

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return pill("bad", "Revoked")
        if not usable(key):
            return pill("neutral", "Expired")
        return pill("warn", "Being replaced") if key.replaced_by_id else pill("good", "Works")

    @admin.display(description="Begins with")
    def prefix_shown(self, key: ApiKey) -> str:
        return code(f"{key.prefix}…")
