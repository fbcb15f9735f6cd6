"""The buyer guide of a flow, made of the schema that validates its feedback, so that they cannot disagree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.timezone import now as wall_clock

from feedback.csv_template import csv_template
from feedback.file_snippets import file_snippets
from feedback.schema import FieldSpec, Schema, Terms, compile_schema
from feedback.schema.json_schema import field_schema
from feedback.snippets import Snippet, curl, pretty, snippets
from flows import explanations
from flows.examples import TEST_LEAD, endpoint, example_body, example_value
from flows.explanations import Explanation
from flows.models import Agreement, Field, Flow, Outcome
from flows.schedules import in_words

# The seed's words.
OUTCOMES: Mapping[str, str] = {
    Outcome.CONVERTED: "The lead bought or converted.",
    Outcome.CONTACTED: "Reached, but not converted.",
    Outcome.NO_CONTACT: "Could not be reached.",
    Outcome.BAD_INFO: "The contact information is invalid.",
    Outcome.DUPLICATE: "Already in your system.",
    Outcome.NOT_INTERESTED: "Not interested in the offer.",
    Outcome.RETURNED: "You ask for a return or refund.",
}
QUALITIES: Mapping[int, str] = {
    5: "Excellent: a perfect lead",
    4: "Good: minor issues",
    3: "Fair: usable, but with problems",
    2: "Poor: major issues",
    1: "Bad: should not have been sent",
}
KINDS: Mapping[str, str] = {
    **dict(Field.Kind.choices),
    "outcome": "Word",
    "choice": "Word",
    "list": "List of texts",
}
PRACTICES = (
    "Send what became of every lead, not of the sold ones only: a source can be judged only by all of them.",
    "Name the lead by lead_id as it was delivered (evt_…): it is the most reliable id. Your own external_id "
    "works where it was delivered with the lead, set on its page in the portal, or learned from a file with "
    "both ids.",
    "Use the words exactly: converted, no_contact, bad_info; not sold, CONVERTED or conv.",
    "Send feedback_timestamp with an offset (Z or +02:00): news that comes late then falls into its place.",
    "Send a correction as new feedback. A field left out keeps its value, null clears it, and nothing is "
    "ever lost from the history. A single piece can be taken back or put right on the lead's page.",
    "Put an Idempotency-Key on every POST, and repeat a request that got no answer, or 429 or 5xx, with the "
    "same key: it is counted once. Wait longer before each further try.",
    "Queue feedback while you are busy or we are away, and send it later in batches of up to 1,000.",
    "A refusal (4xx) will not go away by itself: log the answer's detail and errors, and mend the request.",
    "Keep the key on your servers, never in a page or an app. Ask for a new one when it may have been seen.",
)


@dataclass(frozen=True, slots=True)
class GuideField:
    """A line of the table of fields."""

    name: str
    kind: str
    required: bool
    allowed: tuple[str, ...]
    about: str


@dataclass(frozen=True, slots=True)
class Example:
    """A body and when to send it."""

    title: str
    body: dict[str, Any]

    @property
    def text(self) -> str:
        return pretty(self.body)


@dataclass(frozen=True)
class Guide:
    """Everything that the guide's page says. It holds no buyer's name, no lead, no key, no amount."""

    flow: Flow
    fields: tuple[GuideField, ...]
    outcomes: Mapping[str, str]
    qualities: Mapping[int, str]
    examples: tuple[Example, ...]
    snippets: tuple[Snippet, ...]
    batch: str
    csv: str
    file_snippets: tuple[Snippet, ...]
    schedule: str
    zone: str
    problems: ClassVar[Mapping[str, Explanation]] = explanations.PROBLEMS
    faults: ClassVar[Mapping[str, Explanation]] = explanations.FAULTS
    practices: ClassVar[tuple[str, ...]] = PRACTICES

    @property
    def endpoint(self) -> str:
        return endpoint(self.flow)


def guide_of(flow: Flow, agreement: Agreement | None = None, *, now: dt.datetime | None = None) -> Guide:
    """The flow's guide; with an agreement it has the schedule that was agreed."""
    moment = (now or wall_clock()).replace(microsecond=0)
    schema = compile_schema(flow)
    examples = tuple(examples_of(flow, schema, moment))
    full = example_body(flow, schema.fields, now=moment)
    rows = {"feedback": [example.body for example in examples[:2]]}
    return Guide(
        flow=flow,
        fields=tuple(_field(spec, schema.terms) for spec in schema.fields),
        outcomes=OUTCOMES if "outcome" in schema.by_name else {},
        qualities=QUALITIES if "quality_score" in schema.by_name else {},
        examples=examples,
        snippets=tuple(snippets(endpoint(flow), full)),
        batch=curl(f"{endpoint(flow)}/batch", pretty(rows)),
        csv=csv_template(flow, now=moment),
        file_snippets=tuple(file_snippets(endpoint(flow))),
        schedule=in_words(agreement.schedule) if agreement else "",
        zone=agreement.buyer.timezone if agreement else "",
    )


def examples_of(flow: Flow, schema: Schema, moment: dt.datetime) -> list[Example]:
    """Bodies for the usual news, as far as the flow has their fields; each is valid as it stands."""
    example = _Examples(flow, schema, moment)
    wanted = [
        example.of("The lead bought", ("outcome", "converted"), {"outcome": "converted", "converted": True}),
        example.of("Nobody could be reached", ("outcome",), {"outcome": "no_contact"}),
        example.of("The lead goes back", ("outcome",), {"outcome": "returned", "reason": example.reason()}),
        example.of(
            "How good the lead was", ("quality_score",), {"quality_score": 2, "issues": ["Wrong phone"]}
        ),
        example.correction(),
    ]
    found = [each for each in wanted if each]
    return found or [Example("What became of the lead", example_body(flow, schema.fields, now=moment))]


class _Examples:
    def __init__(self, flow: Flow, schema: Schema, moment: dt.datetime) -> None:
        self.flow, self.schema, self.moment = flow, schema, moment
        self.least = {spec.name: example_value(spec, flow, moment) for spec in schema.fields if spec.required}

    def of(self, title: str, needs: tuple[str, ...], values: Mapping[str, Any]) -> Example | None:
        """An example of those of the values that the flow takes; None where it takes none of ``needs``."""
        if not any(name in self.schema.by_name for name in needs):
            return None
        taken = {name: value for name, value in values.items() if name in self.schema.by_name}
        if "outcome" in taken:
            taken.pop("converted", None)
        if title == "The lead bought" and "revenue" in self.schema.by_name:
            taken["revenue"] = example_value(self.schema.by_name["revenue"], self.flow, self.moment)
        return Example(title, {"lead_id": TEST_LEAD, **self.least, **taken})

    def reason(self) -> str:
        spec = self.schema.by_name.get("reason")
        return spec.choices[0] if spec and spec.choices else "Wrong phone number"

    def correction(self) -> Example | None:
        """Clears the first field that may be cleared."""
        free = (
            spec.name for spec in self.schema.fields if not spec.required and spec.kind in ("money", "text")
        )
        name = next(free, None)
        if name is None:
            return None
        return Example("A value was wrong: clear it", {"lead_id": TEST_LEAD, **self.least, name: None})


def _field(spec: FieldSpec, terms: Terms) -> GuideField:
    shape = field_schema(spec, terms)
    allowed = tuple(str(each) for each in shape.get("enum") or spec.choices if each is not None)
    return GuideField(
        name=spec.name,
        kind=KINDS[spec.kind],
        required=spec.required,
        allowed=allowed,
        about=" ".join(filter(None, (shape.get("description", ""), _limits(shape)))),
    )


def _limits(shape: Mapping[str, Any]) -> str:
    """The schema's limits in words, where they tell anything."""
    if "boolean" in shape["type"]:
        return "true or false, without quotes."
    if "maxItems" in shape:
        return f"At most {shape['maxItems']} texts of {shape['items']['maxLength']:,} characters."
    if "string" in shape["type"] and "number" not in shape["type"] and "maxLength" in shape:
        return f"At most {shape['maxLength']:,} characters."
    if "integer" in shape["type"] and shape["maximum"] < 1_000_000:
        return f"From {shape['minimum']} to {shape['maximum']}."
    return ""
