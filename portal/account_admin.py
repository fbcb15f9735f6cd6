"""Accounts in the admin: a person's own data and way in; never their rights, never another tenant's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from portal.models import Membership, User
from portal.object_actions import ObjectAction, Secret
from portal.people import (
    forget_old_addresses,
    give_password,
    is_foreign,
    is_last_owner,
    send_link,
    with_foreign,
)
from portal.scoped_admin import ScopedForm, ScopedModelAdmin, actor_of_request, change_url

LAST_OWNER = "A seller needs one active owner. Make somebody else an owner first."


def only_operators(request: HttpRequest) -> bool:
    """Whether the one who asks runs the installation."""
    return actor_of_request(request).side == "operator"


def password_secret(user: User, password: str, back: str) -> Secret:
    return Secret(
        text=password,
        what=f"Temporary password of {user.email}",
        advice="Pass it on safely; they should change it after the first log-in. It is shown only now.",
        back=back,
    )


class AccountForm(ScopedForm[User]):
    """A person's own data, without rights."""

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise ValidationError("Choose another address: this one cannot be used.")
        return email

    def clean_is_active(self) -> bool:
        active: bool = self.cleaned_data["is_active"]
        places = Membership.objects.filter(user=self.instance) if self.instance.pk else ()
        if not active and any(is_last_owner(place) for place in places):
            raise ValidationError(LAST_OWNER)
        return active

    def _save_m2m(self) -> None:
        super()._save_m2m()  # type: ignore[misc]
        forget_old_addresses(self.instance)


def _password_action(request: HttpRequest, user: User, answers: dict[str, Any]) -> Secret:
    return password_secret(user, give_password(user), change_url(user))


def _link_action(request: HttpRequest, user: User, answers: dict[str, Any]) -> str:
    transaction.on_commit(lambda: send_link(user, actor_of_request(request).party_name, choose=True))
    return f"A link is on its way to {user.email}."


@admin.register(User)
class UserAdmin(ScopedModelAdmin[User]):
    """Accounts. One that is an operator's, or another tenant's too, shows its address and no more."""

    list_display = ("email", "full_name", "active", "seen")
    list_filter = ("is_active",)
    search_fields = ("email",)
    search_help_text = "E-mail address"
    ordering = ("email",)
    form = AccountForm
    may_delete = False
    empty_hint = "Invite people under “People”: that makes their accounts."
    object_actions = (
        ObjectAction(
            "link",
            "Send a log-in link",
            "They get an e-mail with a link to choose a new password. The present one works until then.",
            _link_action,
        ),
        ObjectAction(
            "password",
            "Make a temporary password",
            "Their present password stops working. The new one is shown once.",
            _password_action,
            severe=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return with_foreign(super().get_queryset(request), actor_of_request(request))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return only_operators(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        own = obj is None or not is_foreign(obj, actor_of_request(request))
        return own and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj and is_foreign(obj, actor_of_request(request)):
            return ("email", "why_closed")
        names = ("email", "first_name", "last_name", "timezone", "is_active")
        return ("username", *names, "is_superuser") if only_operators(request) else (*names, "last_login")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return ("why_closed", "last_login")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What others did to a shared account is not ours to see."""
        user = self.get_object(request, object_id)
        if user is None or is_foreign(user, actor_of_request(request)):
            raise Http404("There is nothing here, or it is not yours to see.")
        return super().history_view(request, object_id, extra_context)

    @admin.display(description="Name")
    def full_name(self, user: Any) -> str:
        return "" if user.foreign else user.get_full_name()

    @admin.display(description="May log in", boolean=True)
    def active(self, user: User) -> bool:
        return user.is_active

    @admin.display(description="Last log-in")
    def seen(self, user: Any) -> Any:
        return None if user.foreign else user.last_login

    @admin.display(description="Closed")
    def why_closed(self, user: User) -> str:
        return "This account is used elsewhere too. Here you change only its place with you, under “People”."
