"""The form of a rule: its action's parameters as fields, thresholds as people write them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Q

from flows.actions import OFFERED
from flows.actions.base import BadRule
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
    "suppress_contact": ("list", "expires_days"),
    "suppress_source": ("list", "expires_days"),
    "bonus": ("amount",),
    "alert": ("level", "message"),
}
NAMES = tuple(dict.fromkeys(name for names in PARAMS.values() for name in names))


# What a rule on each feedback has no use for: these columns go back to what they are of themselves.
AS_IT_IS = Rule()
QUALITY_ONLY = ("scope", "equal_buyers", "evidence", "on_clear", "hysteresis")


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
    hysteresis = ThresholdField(
        required=False,
        label="Margin",
        help_text="For reversing: how much better than the threshold the number must be, as a share of it. "
        "10 % of a threshold of 3.0 asks for 3.3: a number near the threshold then switches nothing about.",
        widget=forms.TextInput(attrs={"size": 10, "maxlength": 20}),
    )
    action = forms.ChoiceField(choices=[(name, each.label) for name, each in OFFERED.items()])
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
    param_expires_days = forms.IntegerField(
        required=False,
        label="For how many days",
        min_value=1,
        max_value=3650,
        help_text="From then on it may be bought again. Empty: it stays on the list.",
    )
    param_amount = forms.DecimalField(
        required=False,
        label="Amount",
        help_text="In the flow's currency: once a decision on a source, or once for each lead.",
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
        widgets = {
            "scope": forms.RadioSelect(attrs={"class": "radiolist"}),
            "evidence": forms.RadioSelect(attrs={"class": "radiolist"}),
            "mode": forms.RadioSelect(attrs={"class": "radiolist"}),
            "on_clear": forms.RadioSelect(attrs={"class": "radiolist"}),
            "excluded_buyers": forms.CheckboxSelectMultiple(),
        }
        help_texts = {
            "scope": "With each buyer: only that buyer's feedback counts, and the source is paused for that "
            "buyer alone. A buyer who returns everything then condemns no source.",
            "evidence": "The bare number is compared at every look, so a source near its threshold fires "
            "sooner or later. Certain enough: a test at 95 % that may be looked at all day; it counts over "
            "periods of the window's length, one after the other. For rates and scores.",
            "mode": "A suggestion waits on the decisions page for an owner, and changes nothing until then.",
            "on_clear": "Reversed is only what the rule itself did and what still stands. A cap goes back by "
            "a step.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lists = self.fields.get("param_list")
        if lists:
            lists.queryset = self._lists()  # type: ignore[attr-defined]
        for name, value in (self.instance.params or {}).items():
            self.initial[f"param_{name}"] = value
        self.initial["threshold"] = shown_threshold(self.instance)
        self.initial["hysteresis"] = percent(self.instance.hysteresis)
        if buyers := self.fields.get("excluded_buyers"):
            buyers.queryset = self._buyers(buyers.queryset)  # type: ignore[attr-defined]

    def _lists(self) -> Any:
        lists = visible_to(self.actor, SuppressionList.objects.order_by("name"))
        return lists.filter(seller=self.instance.flow.seller_id) if self.instance.flow_id else lists

    def _buyers(self, buyers: Any) -> Any:
        """Those who buy on the flow; before it is chosen, everybody whom the actor may see."""
        if self.instance.flow_id:
            left_out = self.instance.excluded_buyers.values("pk") if self.instance.pk else ()
            buyers = buyers.filter(Q(agreements__flow=self.instance.flow_id) | Q(pk__in=left_out)).distinct()
        return buyers.order_by("name")

    def clean(self) -> dict[str, Any]:
        """Carry the parameters of the chosen action over to the row."""
        cleaned = super().clean() or {}
        if cleaned.get("trigger") == Rule.Trigger.FEEDBACK:
            self._forget(cleaned)
        if cleaned.get("hysteresis") is None:
            cleaned["hysteresis"] = AS_IT_IS.hysteresis
        given = {name: cleaned.get(f"param_{name}") for name in PARAMS.get(cleaned.get("action", ""), ())}
        self.instance.params = {
            name: _json(value) for name, value in given.items() if value not in (None, "")
        }
        flow = cleaned.get("flow")
        target = given.get("list")
        if flow and target and target.seller_id != flow.seller_id:
            self.add_error("param_list", "This list belongs to another seller than the flow.")
        if flow and any(buyer.seller_id != flow.seller_id for buyer in cleaned.get("excluded_buyers") or ()):
            self.add_error("excluded_buyers", "A buyer belongs to another seller than the flow.")
        return cleaned

    def _forget(self, cleaned: dict[str, Any]) -> None:
        """What the page does not show for “each feedback” counts for nothing, whatever was chosen before."""
        for name in QUALITY_ONLY:
            cleaned[name] = getattr(AS_IT_IS, name)
            self.errors.pop(name, None)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            for name, fault in _percent_fault(self.instance).items():
                self.add_error(name, fault)

    def add_error(self, field: str | None, error: Any) -> None:
        """What `Rule.clean` says of ``params`` stands beside the one parameter that it is about."""
        said = getattr(error, "error_dict", {})
        if "params" in said:
            said[self._param_at_fault()] = said.pop("params")
        super().add_error(field, error)

    def _param_at_fault(self) -> str:
        try:
            OFFERED[self.instance.action].check(self.instance)
        except BadRule as bad:
            if f"param_{bad.param}" in self.fields:
                return f"param_{bad.param}"
        return NON_FIELD_ERRORS


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
        return percent(rule.threshold)
    return str(plain(rule.threshold))


def percent(share: Decimal) -> str:
    """``"10 %"``, not to be broken."""
    return f"{plain(share * 100)}\N{NO-BREAK SPACE}%"


def _json(value: Any) -> Any:
    if isinstance(value, SuppressionList):
        return value.slug
    return str(plain(value)) if isinstance(value, Decimal) else value
