"""The parties in the admin: sellers (operators only), buyers, people and their accounts."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from portal.access import ROLES_OF, Role
from portal.account_admin import LAST_OWNER, only_operators, password_secret
from portal.models import Buyer, Membership, Seller
from portal.object_actions import show_once
from portal.people import (
    invite,
    is_last_owner,
)
from portal.scoped_admin import ONE_BUTTON, ScopedForm, ScopedModelAdmin, change_url
from portal.scoped_inlines import ReadOnlyInline


@admin.register(Seller)
class SellerAdmin(ScopedModelAdmin[Seller]):
    """The tenants: for operators."""

    list_display = ("name", "slug", "timezone", "public_id", "created_at")
    search_fields = ("name", "slug", "public_id")
    fields = ("name", "slug", "timezone", "public_id")
    readonly_fields = ("public_id",)
    prepopulated_fields = {"slug": ("name",)}
    may_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return only_operators(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return only_operators(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return only_operators(request)


class PersonInline(ReadOnlyInline[Membership]):
    """Who works for the buyer."""

    model = Membership
    verbose_name_plural = "People who may log in"
    fields = ("person", "role", "created_at")
    readonly_fields = ("person", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user")

    @admin.display(description="Person")
    def person(self, row: Membership) -> str:
        return format_html('<a href="{}">{}</a>', change_url(row), row.user.email)


@admin.register(Buyer)
class BuyerAdmin(ScopedModelAdmin[Buyer]):
    """Companies that buy leads. Their agreements are hung in by flows/admin."""

    list_display = ("name", "slug", "timezone", "public_id", "created_at")
    search_fields = ("name", "slug", "public_id")
    ordering = ("name",)
    fields = ("seller", "name", "slug", "timezone", "public_id")
    readonly_fields = ("public_id",)
    fixed_after_add = ("seller",)
    prepopulated_fields = {"slug": ("name",)}
    inlines: ClassVar[list[Any]] = [PersonInline]
    empty_hint = "Add the companies that buy your leads. Then give each an agreement, a person and a key."
    kept_because = (
        "This buyer has agreements or bought leads. Remove agreements that were never used; a buyer of leads "
        "stays on record: switch “buys new leads” off in its agreements instead."
    )

    def get_list_filter(self, request: HttpRequest) -> Any:
        more = ("seller",) if only_operators(request) else ()
        return [*super().get_list_filter(request), *(self._scoped(name) for name in more)]

    def buttons(self, request: HttpRequest, row: Buyer) -> list[dict[str, Any]]:
        """On to what a new buyer needs next."""
        if not self.has_change_permission(request, row):
            return []
        nexts = (("Invite a person", "portal_membership"), ("Make an API key", "flows_apikey"))
        return [
            {"label": label, "url": f"{reverse(f'admin:{model}_add')}?buyer={row.pk}", "severe": False}
            for label, model in nexts
        ]


class InviteForm(ScopedForm[Membership]):
    """An e-mail address, a company, a role. The account is made or found by `invite`."""

    email = forms.EmailField(
        label="E-mail", max_length=254, help_text="The person logs in with it.", widget=forms.EmailInput
    )
    way = forms.ChoiceField(
        label="First password",
        choices=(
            ("mail", "Send a link by e-mail, with which they choose their own"),
            ("once", "Show me a temporary password once, to pass on myself"),
        ),
        widget=forms.RadioSelect(attrs={"class": "radiolist"}),
        initial="mail",
        help_text="Who has an account already keeps their password, and gets a message either way.",
    )
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in Role])

    class Meta:
        model = Membership
        fields = ("seller", "buyer", "role")

    def clean(self) -> dict[str, Any]:
        """Who adds without naming a buyer adds to their own company."""
        cleaned = super().clean() or {}
        if self.actor.is_seller and not cleaned.get("buyer"):
            cleaned["seller"] = Seller.objects.get(pk=self.actor.party_id or 0)
        side = "buyer" if cleaned.get("buyer") else "seller"
        if cleaned.get("role") and cleaned["role"] not in ROLES_OF[side]:
            labels = " or ".join(Role(role).label for role in ROLES_OF[side])
            self.add_error("role", f"For a {side}, choose {labels}.")
        return cleaned

    def _post_clean(self) -> None:
        """Invite here, so that what `invite` refuses stands at its field; the view's transaction holds it."""
        if self.errors:
            return
        given = self.cleaned_data
        try:
            with transaction.atomic():
                self.invitation = invite(
                    email=given["email"],
                    role=given["role"],
                    seller=given.get("seller"),
                    buyer=given.get("buyer"),
                    by_mail=given["way"] == "mail",
                )
        except ValidationError as error:
            self.add_error(None, error)
        else:
            self.instance = self.invitation.membership

    def save(self, commit: bool = True) -> Membership:
        return self.instance

    def save_m2m(self) -> None:
        """Nothing: `invite` has saved all."""


class RoleForm(ScopedForm[Membership]):
    """Another role at the same company."""

    role = forms.ChoiceField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        side = "seller" if self.instance.seller_id else "buyer"
        if "role" in self.fields:
            self.fields["role"].choices = [(role, Role(role).label) for role in ROLES_OF[side]]  # type: ignore[attr-defined]

    def clean_role(self) -> str:
        role: str = self.cleaned_data["role"]
        if role != Role.SELLER_OWNER and is_last_owner(self.instance):
            raise ValidationError(LAST_OWNER)
        return role


@admin.register(Membership)
class MembershipAdmin(ScopedModelAdmin[Membership]):
    """People: who works for the seller or one of its buyers, and in what role."""

    list_display = ("person", "company", "role", "created_at")
    list_filter = ("role", "buyer")
    list_select_related = ("user", "seller", "buyer")
    search_fields = ("user__email", "user__first_name", "user__last_name")
    search_help_text = "Name or e-mail address"
    empty_hint = "Invite a colleague, or a person of a buyer."

    @admin.display(description="Person", ordering="user__email")
    def person(self, row: Membership) -> str:
        return row.user.email

    @admin.display(description="Company")
    def company(self, row: Membership) -> str:
        return str(row.buyer or row.seller)

    @admin.display(description="Account")
    def account(self, row: Membership) -> str:
        return format_html('<a href="{}">{}</a>', change_url(row.user), row.user.email)

    def get_form(
        self, request: HttpRequest, obj: Membership | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = RoleForm if obj else InviteForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        if obj:
            return ("account", "company", "role", "created_at")
        return self._without_seller(request, ("email", "seller", "buyer", "role", "way"))

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return ("account", "company", "created_at") if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "buyer" and not only_operators(request):
            field.empty_label = "Our own company"
            field.label = "Works for"
        return field

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: a password that is shown once leaves no room for “and then”."""
        return super().add_view(request, form_url, {**ONE_BUTTON, "title": "Invite a person"})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            obj.password_once = form.invitation.password

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        if not obj.password_once:
            return super().response_add(request, obj, post_url_continue)
        return show_once(
            request, self.admin_site, password_secret(obj.user, obj.password_once, change_url(obj))
        )

    def why_kept(self, row: Membership) -> str:
        return LAST_OWNER if is_last_owner(row) else ""
