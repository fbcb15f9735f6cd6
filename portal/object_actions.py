"""What can be done to one row of the admin besides editing it: asked for on a page, done by POST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.debug import sensitive_variables

M = TypeVar("M", bound=Model)
Run = Callable[[HttpRequest, Any, dict[str, Any]], "str | Secret"]


@dataclass(frozen=True, slots=True)
class Secret:
    """Something to be shown once: its text, what it is, and what to do with it."""

    text: str
    what: str
    advice: str
    done: str = ""
    back: str = ""  # the address of "Done"
    command: str = ""  # a line to try it with


@dataclass(frozen=True, slots=True)
class ObjectAction:
    """One thing to do to a row.

    ``run(request, row, answers)`` returns what to tell the person, or a `Secret` to show once; it may
    raise ValidationError. ``applies(row)`` says whether the button stands on this row's page. ``ask`` is
    a form for what the action must know. ``severe`` paints the button as a warning.
    """

    name: str  # in the address
    label: str
    question: str
    run: Run
    applies: Callable[[Any], bool] = lambda row: True
    ask: type[forms.Form] = forms.Form
    severe: bool = False

    def form(self, request: HttpRequest, row: Any) -> forms.Form:
        """What the action must know, with what was sent; one that depends on the row says so itself."""
        return self.ask(request.POST if request.method == "POST" else None)


def show_once(request: HttpRequest, site: admin.AdminSite, secret: Secret) -> HttpResponse:
    """The page that shows a secret: never stored by a browser, and nowhere here."""
    context = {**site.each_context(request), "title": secret.what, "secret": secret}
    response = TemplateResponse(request, "admin/shown_once.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


class WithObjectActions(admin.ModelAdmin[M]):
    """Adds the pages and the buttons of ``object_actions`` to an admin class."""

    object_actions: tuple[ObjectAction, ...] = ()

    def get_urls(self) -> Any:
        """An address for each action, before Django's own, which take any path for a key."""
        meta = self.opts
        return [
            path(
                f"<int:object_id>/{action.name}/",
                self.admin_site.admin_view(self._page(action)),
                name=f"{meta.app_label}_{meta.model_name}_{action.name}",
            )
            for action in self.object_actions
        ] + super().get_urls()

    def _page(self, action: ObjectAction) -> Callable[..., HttpResponse]:
        def page(request: HttpRequest, object_id: int) -> HttpResponse:
            row = self.get_object(request, str(object_id))
            if row is None or not action.applies(row):
                raise Http404("There is nothing here, or it is not yours to see.")
            if not self.may_act(request, row):
                raise PermissionDenied("Your role does not allow this.")
            return self._ask_and_run(request, action, row)

        return page

    @sensitive_variables("told")
    def _ask_and_run(self, request: HttpRequest, action: ObjectAction, row: Any) -> HttpResponse:
        form = action.form(request, row)
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic():
                    told = action.run(request, row, form.cleaned_data)
                    self.log_change(request, row, action.label)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return self._answer(request, row, told)
        context = {**self.admin_site.each_context(request), "title": action.label, "action": action}
        context |= {"form": form, "row": row, "opts": self.opts, "back": self.address(row)}
        return TemplateResponse(request, "admin/object_action.html", context)

    def _answer(self, request: HttpRequest, row: Any, told: str | Secret) -> HttpResponse:
        if isinstance(told, Secret):
            return show_once(request, self.admin_site, told)
        self.message_user(request, told, messages.SUCCESS)
        return HttpResponseRedirect(self.address(row))

    def may_act(self, request: HttpRequest, row: Any) -> bool:
        """Whether this person may do these things to the row; as a rule, who may edit it."""
        return self.has_change_permission(request, row)

    def address(self, row: Any, page: str = "change") -> str:
        """The address of one of a row's admin pages."""
        meta = self.opts
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=(row.pk,))

    def buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """The actions that apply, for the page of the row: label, address, severe."""
        if not self.may_act(request, row):
            return []
        return [
            {"label": action.label, "url": self.address(row, action.name), "severe": action.severe}
            for action in self.object_actions
            if action.applies(row)
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        buttons = self.buttons(request, row) if row else []
        return super().change_view(
            request, object_id, form_url, {"buttons": buttons, **(extra_context or {})}
        )
