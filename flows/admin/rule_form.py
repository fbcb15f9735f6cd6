"""The form of a rule: its action's parameters as fields, thresholds as people write them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from flows.actions import REGISTRY
from flows.admin.forms import plain
from flows.models import Alert, Outcome, Rule, SuppressionList
from flows.rules import METRICS
from portal.access import visible_to
from portal.scoped_admin import ScopedForm

# Which of the form's parameter fields belong to which action.
PARAMS: dict[str, tuple[str, ...]] = {
    "pause_source": (),
    "resume_source": (),
    "step_cap": ("percentage", "min", "max"),
    "set_price_adjustment": ("value",),
    "suppress_contact": ("list",),
    "suppress_source": ("list",),
    "alert": ("level", "message"),
}
NAMES = tuple(dict.fromkeys(name for names in PARAMS.values() for name in names))


class ThresholdField(forms.Field):
    """A fraction, written as ``0.10`` or ``10 %``; or a score or an amount, written as it is."""

    def to_python(self, value: Any) -> Any:
        text = "".join(str(value or "").split())
        if not text:
            return None
        percent = text.endswith("%")
        try:
            number = Decimal(text.removesuffix("%"))
        except InvalidOperation:
            raise ValidationError("Write a number, such as 10 % or 3.0.") from None
        if not number.is_finite() or abs(number) >= 10_000:
            raise ValidationError("Write a number below 10,000.")
        return number / 100 if percent else number


class RuleForm(ScopedForm[Rule]):
    """Choices come from the registries of metrics and actions; `Rule.clean` has the last word."""

    outcome = forms.ChoiceField(required=False, choices=[("", "–"), *Outcome.choices])
    metric = forms.ChoiceField(
        required=False, choices=[("", "–"), *((name, each.label) for name, each in METRICS.items())]
    )
    threshold = ThresholdField(
        required=False,
        help_text="Rates as 10 % or 0.10, scores from 1 to 5 as 3.0, amounts in the flow's currency.",
        widget=forms.TextInput(attrs={"size": 10, "maxlength": 20}),
    )
    action = forms.ChoiceField(choices=[(name, each.label) for name, each in REGISTRY.items()])
    param_percentage = forms.DecimalField(
        required=False, label="Step, %", help_text="20: a fifth more. −20: a fifth less."
    )
    param_min = forms.IntegerField(required=False, label="Lowest cap, leads a day")
    param_max = forms.IntegerField(required=False, label="Highest cap, leads a day")
    param_value = forms.DecimalField(
        required=False, label="Price adjustment", help_text="The base price times this: 1.2 is a fifth more."
    )
    param_list = forms.ModelChoiceField(
        SuppressionList.objects.none(), required=False, label="List", to_field_name="slug"
    )
    param_level = forms.ChoiceField(
        required=False, label="Level", choices=Alert.Level.choices, initial=Alert.Level.WARN.value
    )
    param_message = forms.CharField(
        required=False, label="Message", max_length=100, widget=forms.TextInput(attrs={"size": 60})
    )

    class Meta:
        model = Rule
        exclude = ("params",)  # the admin names the fields

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lists = self.fields.get("param_list")
        if lists:
            lists.queryset = self._lists()  # type: ignore[attr-defined]
        for name, value in (self.instance.params or {}).items():
            self.initial[f"param_{name}"] = value
        self.initial["threshold"] = shown_threshold(self.instance)

    def _lists(self) -> Any:
        lists = visible_to(self.actor, SuppressionList.objects.order_by("name"))
        return lists.filter(seller=self.instance.flow.seller_id) if self.instance.flow_id else lists

    def clean(self) -> dict[str, Any]:
        """Carry the parameters of the chosen action over to the row."""
        cleaned = super().clean() or {}
        given = {name: cleaned.get(f"param_{name}") for name in PARAMS.get(cleaned.get("action", ""), ())}
        self.instance.params = {
            name: _json(value) for name, value in given.items() if value not in (None, "")
        }
        flow = cleaned.get("flow")
        target = given.get("list")
        if flow and target and target.seller_id != flow.seller_id:
            self.add_error("param_list", "This list belongs to another seller than the flow.")
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            for name, fault in _percent_fault(self.instance).items():
                self.add_error(name, fault)

    def add_error(self, field: str | None, error: Any) -> None:
        """What `Rule.clean` says of ``params`` stands at the head: the parameters are several inputs here."""
        said = getattr(error, "error_dict", {})
        if "params" in said:
            said[NON_FIELD_ERRORS] = said.pop("params")
        super().add_error(field, error)


def _percent_fault(rule: Rule) -> dict[str, str]:
    """Who writes 10 for 10 % would make a rule that never fires, or always."""
    metric = METRICS.get(rule.metric)
    if metric is None or rule.threshold is None or rule.trigger != Rule.Trigger.QUALITY:
        return {}
    if metric.unit == "rate" and rule.metric != "roi" and not 0 <= rule.threshold <= 1:
        return {"threshold": f"A rate lies between 0 % and 100 %. Did you mean {plain(rule.threshold)} %?"}
    if metric.unit == "score" and not 1 <= rule.threshold <= 5:
        return {"threshold": "A score lies between 1 and 5."}
    return {}


def shown_threshold(rule: Rule) -> str:
    """``"10 %"`` for a rate, else the number."""
    if rule.threshold is None:
        return ""
    if rule.metric in METRICS and METRICS[rule.metric].unit == "rate":
        return f"{plain(rule.threshold * 100)}\N{NO-BREAK SPACE}%"
    return str(plain(rule.threshold))


def _json(value: Any) -> Any:
    if isinstance(value, SuppressionList):
        return value.slug
    return str(plain(value)) if isinstance(value, Decimal) else value
