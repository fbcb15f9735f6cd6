"""What each method of each address does, for those who call it. A method without an entry is not shown.

An answer names the shape of its body and the sample that is shown of it, both by their names in
`feedback.openapi.shapes` and `feedback.openapi.samples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flows.http import JSON


class Answer(NamedTuple):
    """One good answer: in words, its shape, a sample or "", and its media type."""

    words: str
    shape: str
    sample: str = ""
    kind: str = JSON


@dataclass(frozen=True, slots=True)
class Operation:
    """One method. ``body``: shape and sample of the JSON that it takes; ``codes``: its own problems.

    ``file``: it takes a CSV file instead; ``bare``: it is a POST that takes nothing.
    """

    name: str
    summary: str
    about: str
    answers: Mapping[int, Answer]
    body: tuple[str, str] | None = None
    codes: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()  # of the good answers
    file: bool = False
    bare: bool = False

    @property
    def posts(self) -> bool:
        """Whether it may be done once only, under an Idempotency-Key."""
        return self.body is not None or self.file or self.bare


FLOW = "/flows/{flow_id}"
OF_LEAD = ("lead_not_found",)
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    (f"{FLOW}/feedback", "POST"): Operation(
        "recordFeedback",
        "Tell what became of a lead",
        "An event that is added to the lead's history. A field left out keeps its value, null clears it, and "
        "late news never overwrites newer news. The same feedback again is not counted twice.",
        {
            201: Answer(
                "Recorded. applied is false where newer feedback already stood.", "Receipt", "receipt"
            ),
            200: Answer(
                "Unchanged: this is on record already. Or a test: validated and not stored.",
                "Receipt",
                "test_receipt",
            ),
        },
        body=("Feedback", "feedback"),
        codes=("lead_not_found", "validation_failed", "outside_update_window"),
    ),
    (f"{FLOW}/feedback/batch", "POST"): Operation(
        "recordFeedbackBatch",
        "Tell what became of up to 1,000 leads",
        "Good rows are kept when others are refused; each row has its result. Rows for one lead are taken in "
        "order. With atomic=true all are kept or none (422).",
        {200: Answer("A result for each row.", "BatchAnswer", "batch_answer")},
        body=("FeedbackBatch", "batch"),
        codes=("validation_failed",),
        query=("atomic",),
    ),
    (f"{FLOW}/feedback/uploads", "POST"): Operation(
        "uploadFeedback",
        "Send a file of feedback",
        "A CSV file of up to 200 MiB whose first line names the fields, with lead_id or external_id among "
        "them. It is kept at once and read by and by; ask at the Location how far it is. Good rows are "
        "recorded when others are refused. The same file again records nothing more.",
        {202: Answer("The file is kept and waits for its turn.", "Upload", "upload")},
        codes=("validation_failed",),
        headers=("Location",),
        file=True,
    ),
    (f"{FLOW}/feedback/uploads/{{upload_id}}", "GET"): Operation(
        "getUpload",
        "Ask how far a file is",
        "Ask again after Retry-After seconds while the status is queued or running. A file that cannot be "
        "read as a whole is failed, with the reason as error.",
        {200: Answer("The upload.", "Upload", "upload_done")},
        codes=("not_found",),
    ),
    (f"{FLOW}/feedback/uploads/{{upload_id}}/errors", "GET"): Operation(
        "getUploadErrors",
        "Fetch the refused rows",
        "The rows as they stood in the file, each with its line and its error. Mend them, then send this "
        "file. Cells that a spreadsheet would take for a formula begin with an apostrophe.",
        {200: Answer("A CSV file, in UTF-8, with the delimiter of yours.", "Csv", kind="text/csv")},
        codes=("not_found",),
    ),
    (f"{FLOW}/feedback/uploads/{{upload_id}}/undo", "POST"): Operation(
        "undoUpload",
        "Take a file back",
        "What it recorded is retracted by new events, and nothing is deleted: each lead then stands as if "
        "the file had never been sent. What came in otherwise stays. The update window does not matter.",
        {
            200: Answer("Taken back, now or before.", "Upload", "upload_undone"),
            202: Answer("Much was recorded: it is being taken back.", "Upload"),
        },
        codes=("not_found", "upload_running"),
        headers=("Location",),
        bare=True,
    ),
    (f"{FLOW}/leads", "GET"): Operation(
        "listLeads",
        "List the leads delivered to you",
        "The newest delivery first. Pages are stable: what is written meanwhile neither repeats a lead nor "
        "leaves one out. To follow changes, ask with updated_since, from a minute before your last request.",
        {200: Answer("A page of leads.", "LeadPage", "leads")},
        codes=("validation_failed",),
        query=(
            *("outcome", "conversion_status", "source", "delivered_from", "delivered_to", "updated_since"),
            *("cursor", "limit"),
        ),
    ),
    (f"{FLOW}/leads/{{lead_id}}", "GET"): Operation(
        "getLead",
        "Read one lead",
        "The delivery and where its feedback stands.",
        {200: Answer("The lead.", "Lead", "lead")},
        codes=OF_LEAD,
    ),
    (f"{FLOW}/leads/{{lead_id}}/feedback", "GET"): Operation(
        "getLeadHistory",
        "Read a lead's history",
        "Every piece of feedback on the lead, by whichever way it came, the oldest first.",
        {200: Answer("The history.", "History", "history")},
        codes=OF_LEAD,
    ),
    (f"{FLOW}/leads", "POST"): Operation(
        "sellLead",
        "Sell a lead to a buyer",
        "The state of the flow may refuse the sale (source_paused, cap_reached, suppressed, duplicate): that "
        "is an answer, not an error, and of the lead nothing is kept. The same event_id with the same "
        "content is answered again.",
        {
            201: Answer("Sold.", "LeadReceipt", "sold"),
            200: Answer("Refused by the state of the flow, or sold before.", "LeadReceipt", "refused"),
        },
        body=("NewLead", "new_lead"),
        codes=("validation_failed",),
    ),
    (f"{FLOW}/routing", "GET"): Operation(
        "getRouting",
        "Ask which sources to buy from",
        "What a router needs before it buys. Send If-None-Match to be told only of changes.",
        {
            200: Answer("Every source.", "Routing", "routing"),
            304: Answer("Nothing has changed but the time.", ""),
        },
        headers=("ETag",),
    ),
    (f"{FLOW}/routing/{{source}}", "GET"): Operation(
        "getRoutingOfSource",
        "Ask about one source",
        "The same for one source.",
        {
            200: Answer("The source.", "SourceAnswer", "source"),
            304: Answer("Nothing has changed but the time.", ""),
        },
        codes=("not_found",),
        headers=("ETag",),
    ),
    (f"{FLOW}/openapi.json", "GET"): Operation(
        "getOpenApi",
        "Read this document",
        "The API of this flow as your key may use it. It follows the flow's fields.",
        {200: Answer("This document.", "OpenApi")},
    ),
}
