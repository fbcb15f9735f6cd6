"""What is asked, read from the address; every choice is one that the actor may see."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, QueryDict

from flows.models import Flow, Source
from portal.tables import DATE
from reports.periods import Period
from reports.scope import DELIVERY_CLOCK, FEEDBACK_CLOCK, Question, Scope

DAYS = (7, 30, 90)
LONGEST = 731  # days in one question
FIRST_DAY, LAST_DAY = dt.date(2000, 1, 1), dt.date(2099, 12, 31)
OWN = "own"
CLOCKS = ((DELIVERY_CLOCK, "Delivery date"), (FEEDBACK_CLOCK, "Feedback date"))
CHOICES = ("flow", "buyer", "source")  # whose faults are a 404, not a message
Option = tuple[str, str | list[tuple[str, str]]]


class QuestionForm(forms.Form):
    """The filters of the dashboard and of the report. A value left out takes its default."""

    flow = forms.ChoiceField(required=False)
    buyer = forms.ChoiceField(required=False)
    source = forms.ChoiceField(required=False)
    currency = forms.ChoiceField(required=False)
    period = forms.ChoiceField(
        required=False,
        choices=[*((str(days), f"{days} days") for days in DAYS), (OWN, "From – to")],
    )
    clock = forms.ChoiceField(required=False, choices=CLOCKS)
    mature = forms.BooleanField(required=False, label="Only mature leads")

    def __init__(self, data: QueryDict, scope: Scope, now: dt.datetime) -> None:
        data = data.copy()
        data.setdefault("period", OWN if data.get("from") or data.get("to") else "30")
        super().__init__(data)
        self.scope, self.now, self.today = scope, now, scope.today(now)
        for name in ("from", "to"):  # "from" is no name for a class's attribute
            self.fields[name] = forms.DateField(required=False, validators=[_within_reason], widget=DATE)
        options: dict[str, list[Option]] = {
            "flow": [("", "all"), *((flow.public_id, flow.name) for flow in scope.flows)],
            "buyer": [("", "all"), *((buyer.public_id, buyer.name) for buyer in scope.buyers)],
            "source": _source_choices(scope, None),
            "currency": [("", "all"), *((code, code) for code in scope.currencies)],
        }
        for name, choices in options.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # for the type checker
            field.choices = choices
        for name, field in self.fields.items():
            field.widget.attrs.setdefault("id", f"filter-{name}")

    def clean(self) -> dict[str, Any]:
        """Both ends of the person's own span, in order, not too far apart."""
        given = self.cleaned_data
        first, last = given.get("from"), given.get("to")
        if first and last and first > last:
            self.add_error("to", "This day is before the first one. Choose a later day.")
        elif first and ((last or self.today) - first).days >= LONGEST:
            self.add_error("from", f"At most {LONGEST} days at a time. Choose a later day.")
        return given

    def question(self, *, one_currency: bool) -> Question:
        """What is asked. Http404 for a flow, buyer or source that is not there to choose.

        ``one_currency``: where the flows have several, take the one chosen or else the usual one.
        """
        self.full_clean()
        if any(name in self.errors for name in CHOICES):
            raise Http404("There is nothing here, or it is not yours to see.")
        given = self.cleaned_data
        flow = _named(self.scope.flows, given["flow"])
        question = Question(
            scope=self.scope,
            now=self.now,
            period=self._period(),
            flow=flow,
            buyer=_named(self.scope.buyers, given["buyer"]),
            source=self._source(given["source"], flow),
            clock=given.get("clock") or DELIVERY_CLOCK,
            only_mature=bool(given.get("mature")),
        )
        question = _in_currency(question, given.get("currency", ""), one_currency)
        self._show(question)
        return question

    def query(self, question: Question) -> str:
        """The question as the query of an address, defaults left out."""
        own = self.data.get("period") == OWN and not self.errors
        period = self.data.get("period", "")
        said = {
            "flow": question.flow.public_id if question.flow else "",
            "buyer": question.buyer.public_id if question.buyer else "",
            "source": str(question.source.pk) if question.source else "",
            "currency": question.currency if len(question.currencies) > 1 else "",
            "period": period if period in {str(days) for days in DAYS} - {"30"} else "",
            "from": str(question.period.first) if own else "",
            "to": str(question.period.last) if own else "",
            "clock": question.clock if question.clock != DELIVERY_CLOCK else "",
            "mature": "on" if question.only_mature else "",
        }
        return urlencode({name: value for name, value in said.items() if value})

    def _show(self, question: Question) -> None:
        """Offer the sources of the flow chosen, and the days in use as a start for days of one's own."""
        self.fields["source"].choices = _source_choices(self.scope, question.flow)  # type: ignore[attr-defined]
        if not self.errors:
            self.data["from"], self.data["to"] = str(question.period.first), str(question.period.last)  # type: ignore[index]  # a copy

    def _source(self, pk: str, flow: Flow | None) -> Source | None:
        """The source; none where another flow was chosen since."""
        found = next((each for each in self.scope.offered if str(each.pk) == pk), None)
        return None if found and flow and found.flow_id != flow.pk else found

    def _period(self) -> Period:
        """The days asked for. With a fault in them, the usual ones: the message says so."""
        given = self.cleaned_data
        first, last = given.get("from"), given.get("to")
        usual = Period.ending(self.today, 30)
        if self.errors:
            return usual
        if given["period"] != OWN:
            return Period.ending(self.today, int(given["period"] or 30))
        last = last or max(self.today, first or self.today)
        return Period(first or last - dt.timedelta(days=29), last)


def _within_reason(day: dt.date) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValidationError("Choose a day of this century.")


def _in_currency(question: Question, wanted: str, one: bool) -> Question:
    """The question for the wanted currency where there is a choice, else for the only or usual one."""
    codes = question.currencies
    if wanted not in codes:
        wanted = codes[0] if one and codes else ""
    return replace(question, currency=wanted)


def _named(rows: tuple[Any, ...], public_id: str) -> Any:
    return next((row for row in rows if row.public_id == public_id), None)


def _source_choices(scope: Scope, flow: Flow | None) -> list[Option]:
    """The flow's sources; those of all flows by flow, where there are several."""
    if flow or len(scope.flows) < 2:
        mine = [each for each in scope.offered if flow is None or each.flow_id == flow.pk]
        return [("", "all"), *((str(each.pk), each.name) for each in mine)]
    return [("", "all"), *_by_flow(scope)]


def _by_flow(scope: Scope) -> list[Option]:
    names = {flow.pk: flow.name for flow in scope.flows}
    groups: defaultdict[int, list[Source]] = defaultdict(list)
    for each in scope.offered:
        groups[each.flow_id].append(each)
    return [
        (name, [(str(each.pk), each.name) for each in groups[flow]])
        for flow, name in names.items()
        if groups[flow]
    ]
