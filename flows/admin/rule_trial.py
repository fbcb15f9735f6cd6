"""A rule's form that is tried, not saved: what was typed, as a rule; and the form again as it was typed.

What tries it stands above this app and is linked by its name. A POST that carries `TRY` saves nothing,
wherever it is sent.
"""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from flows.models import Rule
from portal.access import Role
from portal.scoped_admin import ScopedForm, ScopedModelAdmin, actor_of_request

TRY = "_try"  # the name of the button
UNSAVED = 0  # the key of a rule that was never saved: no row has it


class TriedRules(ScopedModelAdmin[Rule]):
    """The part of a rule's admin that is about trying what is in its form."""

    def typed(self, request: HttpRequest, object_id: int | None) -> ScopedForm[Rule]:
        """The form of this rule, or of a new one, with what was sent. Http404, PermissionDenied."""
        row = None if object_id is None else self.own_or_404(request, str(object_id))
        may = self.has_change_permission(request, row) if row else self.has_add_permission(request)
        if not may:
            raise PermissionDenied("Your role does not allow this.")
        form = super().get_form(request, row, change=row is not None)
        return cast("ScopedForm[Rule]", form(request.POST, instance=row))

    def as_typed(self, request: HttpRequest, object_id: int | None) -> HttpResponse:
        """The page of the form once more, with what was sent and what is wrong with it."""
        sent = request.POST.copy()
        sent[TRY] = "1"
        request.POST = sent  # type: ignore[assignment]  # a QueryDict like the one that came
        form_url = self.form_url(object_id)
        if object_id is None:
            return self.add_view(request, form_url)
        return self.change_view(request, str(object_id), form_url)

    def form_url(self, object_id: int | None) -> str:
        """Where the form is saved."""
        return reverse("admin:flows_rule_add") if object_id is None else self.address(Rule(pk=object_id))

    def get_form(
        self, request: HttpRequest, obj: Rule | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type("AsTyped", (_AsTyped, form), {}) if TRY in request.POST else form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        context = {
            "try_url": self._try_url(request, object_id),
            "try_name": TRY,
            "as_typed": TRY in request.POST,
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    def _try_url(self, request: HttpRequest, object_id: str | None) -> str:
        """It is a page of the portal, so for owners, not for operators."""
        if actor_of_request(request).role != Role.SELLER_OWNER:
            return ""
        return reverse("rule-try", args=(object_id,)) if object_id else reverse("rule-try-new")


class _AsTyped:
    """Of a form: shown with its errors, never taken for valid, so that nobody saves it."""

    def is_valid(self) -> bool:
        return False


def typed_rule(form: ScopedForm[Rule]) -> Rule:
    """The rule of a valid form, with the buyers it leaves out; not saved, and not to be."""
    rule = form.instance
    rule.pk = rule.pk or UNSAVED
    buyers = form.cleaned_data["excluded_buyers"].all()
    len(buyers)  # reads them: what was chosen counts, not what is stored
    rule._prefetched_objects_cache = {"excluded_buyers": buyers}  # type: ignore[attr-defined]  # as Django keeps them
    return rule


def values_sent(request: HttpRequest, form: ScopedForm[Rule]) -> list[tuple[str, str]]:
    """What was sent of the form's own inputs, to be sent again."""
    return [(name, value) for name in form.fields for value in request.POST.getlist(name)]
