"""The base of every admin page: only the actor's own rows, in lists, choices, filters and look-ups.

A subclass says what may be done with its model (`may_add`, `may_change`, `may_delete`); who may do it
follows from the actor's role: owners and operators do, analysts look. Django's permission tables are
not asked. Another tenant's row answers 404, as one that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.utils import get_fields_from_path, quote, unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import FieldDoesNotExist
from django.db.models import PROTECT, ForeignKey, ManyToManyField, Model, QuerySet
from django.db.models.options import Options
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from portal import capped as capped_at
from portal.access import NOBODY, Actor, visible_to
from portal.capped import CappedPaginator
from portal.object_actions import WithObjectActions

ONE_BUTTON = {"show_save_and_add_another": False, "show_save_and_continue": False}
FILTER_CHOICES_LIMIT = 200
LOOKUPS = r"(__id)?(__(exact|isnull|in|gte|lt|isempty))?"
M = TypeVar("M", bound=Model)


def actor_of_request(request: HttpRequest) -> Actor:
    """The actor that ActorMiddleware found; nobody without it."""
    return getattr(request, "actor", NOBODY)


def has_field(model: type[Model], name: str) -> bool:
    """Whether the model has a field of this name."""
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def sentence(words: object) -> str:
    """With a capital first letter, the rest as it is: ``"API keys"`` keeps its capitals."""
    text = str(words)
    return text[:1].upper() + text[1:]


def change_url(row: Model) -> str:
    """The address of a row's admin page."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=(quote(str(row.pk)),))


def is_needed(row: Model) -> bool:
    """Whether other rows protect this one from deletion; asked without loading them."""
    return any(
        relation.related_model._default_manager.filter(**{relation.field.name: row}).exists()
        for relation in row._meta.related_objects
        if relation.on_delete is PROTECT
    )


class ScopedRelatedFilter(RelatedFieldListFilter):
    """A side filter that offers only rows which the actor may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Any:
        rows = field.remote_field.model._default_manager.all()
        ordering = self.field_admin_ordering(field, request, model_admin)
        rows = visible_to(actor_of_request(request), rows.order_by(*ordering) if ordering else rows)
        if not has_field(rows.model, "flow"):
            return [(row.pk, str(row)) for row in rows[:FILTER_CHOICES_LIMIT]]
        # Each flow has its "Facebook": say whose it is.
        return [(row.pk, f"{row} · {row.flow}") for row in rows.select_related("flow")[:FILTER_CHOICES_LIMIT]]

    def has_output(self) -> bool:
        """Also with a single choice, once the address asks for one: Django would drop the question."""
        return bool(self.lookup_val) or super().has_output()


class ScopedForm(forms.ModelForm[M]):
    """A form that knows its actor and, where the model has one, sets the actor's own seller."""

    actor: ClassVar[Actor] = NOBODY  # set on the class that is made for each request

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.owns_seller:
            self.instance.seller_id = self.actor.party_id  # type: ignore[attr-defined]

    @property
    def owns_seller(self) -> bool:
        """Whether the seller of this row is fixed by who adds it."""
        model = type(self.instance)
        return (
            self.actor.is_seller and has_field(model, "seller") and not model._meta.get_field("seller").null
        )

    def _get_validation_exclusions(self) -> set[str]:
        """Check uniqueness per seller although the seller is no field of the form."""
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions - {"seller"} if self.owns_seller else exclusions


class Scoped(BaseModelAdmin[M]):
    """What a page and an inline share: own rows, own choices, rights by role."""

    may_add = True
    may_change = True
    may_delete = True
    offers_add = True
    fixed_after_add: Sequence[str] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        return visible_to(actor_of_request(request), super().get_queryset(request))

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Beside a choice stands at most “add”: what it names is changed on its own page."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(getattr(field, "widget", None), RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_delete_related = False
            field.widget.can_view_related = False
            field.widget.can_add_related &= self.offers_add and isinstance(db_field, ForeignKey)
        return field

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any]:
        kwargs["queryset"] = self.own_choices(db_field, request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[return-value]

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any]:
        kwargs["queryset"] = self.own_choices(db_field, request)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[return-value]

    def own_choices(self, db_field: Any, request: HttpRequest) -> QuerySet[Any]:
        """The rows that a choice field may offer and accept."""
        model = db_field.remote_field.model
        rows = self.get_field_queryset(None, db_field, request)
        return visible_to(actor_of_request(request), model._default_manager.all() if rows is None else rows)

    def get_exclude(self, request: HttpRequest, obj: M | None = None) -> Any:
        """A seller is chosen by operators only."""
        exclude = tuple(super().get_exclude(request, obj) or ())
        return exclude if actor_of_request(request).side == "operator" else (*exclude, "seller")

    def get_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        return self._without_seller(request, super().get_fields(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> Any:
        return [
            (head, {**options, "fields": self._without_seller(request, options["fields"])})
            for head, options in super().get_fieldsets(request, obj)
        ]

    def _without_seller(self, request: HttpRequest, names: Sequence[Any]) -> list[Any]:
        operator = actor_of_request(request).side == "operator"
        return [name for name in names if operator or name != "seller"]

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        """What stays as it was when the row was added is shown, not asked again."""
        names = tuple(super().get_readonly_fields(request, obj))
        return (*names, *self.fixed_after_add) if obj else names

    # Two signatures meet here: a page asks about adding without an object, an inline with its parent.
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_add and actor_of_request(request).may_configure

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_change and actor_of_request(request).may_configure

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_delete and actor_of_request(request).may_configure

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of_request(request).side in ("seller", "operator")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class ScopedModelAdmin(Scoped[M], WithObjectActions[M]):
    """An admin page over the actor's own rows.

    ``empty_hint`` says on an empty list what to do next, ``kept_because`` why a row that others need
    cannot be deleted; ``may_delete_many`` offers the bulk action.
    """

    empty_hint = ""
    kept_because = ""
    form = ScopedForm  # type: ignore[assignment]  # generic in the stubs, one class at run time
    list_per_page = 50
    list_max_show_all = 0
    may_delete_many = False
    paginator = CappedPaginator
    show_facets = admin.ShowFacets.NEVER  # a facet counts the whole table
    show_full_result_count = False

    @property
    def count_limit(self) -> int:
        """For the pager, which gets the list and no more."""
        return capped_at.COUNT_LIMIT

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.actor = actor_of_request(request)  # the class was made for this request
        return form

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [self._scoped(item) for item in super().get_list_filter(request)]

    def _scoped(self, item: Any) -> Any:
        if isinstance(item, str) and get_fields_from_path(self.model, item)[-1].is_relation:
            return (item, ScopedRelatedFilter)
        return item

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the side filters themselves ask: anything else could probe other columns.

        And no value that a database cannot take: a NUL, or a number beyond 64 bits.
        """
        if "\x00" in value or re.fullmatch(r"-?\d{19,}", value):
            return False
        filters = [] if request is None else self.get_list_filter(request)
        return any(re.fullmatch(re.escape(_parameter(item)) + LOOKUPS, lookup) for item in filters)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        if not self.may_delete_many:
            actions.pop("delete_selected", None)
        return actions

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {
            "title": sentence(self.opts.verbose_name_plural),
            "empty_hint": self.empty_hint,
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def own_or_404(self, request: HttpRequest, object_id: str) -> M:
        """The row, or 404 before any word about rights: what is another's and what is not there are one."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404("There is nothing here, or it is not yours to see.")
        return row

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        head: dict[str, Any] = {}
        if object_id is not None:
            row = self.own_or_404(request, object_id)
            head = {"title": str(row), "subtitle": sentence(self.opts.verbose_name)}
        return super().changeform_view(request, object_id, form_url, {**head, **(extra_context or {})})

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Say why a row cannot be deleted before Django collects everything that hangs off it."""
        row = self.own_or_404(request, object_id)
        if self.has_delete_permission(request, row) and (why := self.why_kept(row)):
            self.message_user(request, why, messages.ERROR)
            return HttpResponseRedirect(change_url(row))
        return super().delete_view(request, object_id, extra_context)

    def why_kept(self, row: M) -> str:
        """Why this row cannot be deleted, and what to do instead; "" where it can."""
        return self.kept_because if self.kept_because and is_needed(row) else ""

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Options[Any], object_id: str
    ) -> HttpResponse:
        """Django would answer 302 and name the id; the history page comes through here."""
        raise Http404("There is nothing here, or it is not yours to see.")


class ReadOnlyAdmin(ScopedModelAdmin[M]):
    """For what the machinery writes: people look at it here, nobody edits it."""

    may_add = may_change = may_delete = False
    actions = None


def _parameter(item: Any) -> str:
    """The name under which a side filter appears in the address."""
    if isinstance(item, str):
        return item
    return str(item[0]) if isinstance(item, (list, tuple)) else str(item.parameter_name)
