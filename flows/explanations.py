"""Every code that the API answers with: what it means and what to do. Pure data, for guides and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Explanation(NamedTuple):
    """``status``: of the answer, or 0 for the code of a single field."""

    status: int
    means: str
    do: str


PROBLEMS: Mapping[str, Explanation] = {
    "malformed_json": Explanation(
        400,
        "The body is not well-formed JSON: a comma or quote is missing, a key is there twice, or it is not "
        "UTF-8.",
        "Look at the line and column that the answer names. Build the body with your language's JSON "
        "library, not by joining texts.",
    ),
    "bad_request": Explanation(
        400,
        "The request could not be read; most often it broke off half-way.",
        "Send it again. If it stays, look at what your client or proxy really sends.",
    ),
    "missing_api_key": Explanation(
        401,
        "No API key came with the request, or it stood in the address.",
        "Send the header X-API-Key with the key.",
    ),
    "invalid_api_key": Explanation(
        401,
        "The key is not one of this installation; most often it was not copied whole.",
        "Copy the key again, all of it. If it is lost, ask the seller for a new one.",
    ),
    "expired_api_key": Explanation(
        401, "The key was right, and its time is over.", "Use the key that replaced it, or ask for a new one."
    ),
    "revoked_api_key": Explanation(
        401, "The key was right, and has been revoked.", "Use another key, or ask the seller for one."
    ),
    "key_not_allowed": Explanation(
        403,
        "The key is right, but is not for this: it is limited to other flows, or is another kind of party's.",
        "Check the flow's id in the address, and which flows the key opens.",
    ),
    "feedback_disabled": Explanation(
        403, "The flow takes no feedback at present.", "Ask the seller to switch it on, then send again."
    ),
    "flow_not_found": Explanation(
        404, "There is no such flow, or it is not yours.", "Copy the flow's id (flw_…) from its guide."
    ),
    "lead_not_found": Explanation(
        404,
        "No lead of yours on this flow has this id.",
        "Send lead_id as it was delivered (evt_…), or external_id if your own id was delivered with the "
        "lead. Check that the id belongs to this flow.",
    ),
    "not_found": Explanation(
        404, "There is nothing at this address, or it is not yours.", "Check the address against the guide."
    ),
    "method_not_allowed": Explanation(
        405, "The address does not take this method.", "Use a method that the header Allow names."
    ),
    "not_acceptable": Explanation(
        406,
        "The header Accept rules out the type of the answer.",
        "Send Accept: application/json, or leave it out.",
    ),
    "request_in_progress": Explanation(
        409,
        "A request with the same Idempotency-Key is being worked on.",
        "Wait as long as Retry-After says, then send the same request again.",
    ),
    "upload_running": Explanation(
        409,
        "The file is still being read, so it cannot be taken back yet.",
        "Ask for the upload until its status is done or failed, then undo it.",
    ),
    "body_too_large": Explanation(
        413, "The body is longer than this address takes.", "Send less at a time: 1,000 rows in a batch."
    ),
    "unsupported_media_type": Explanation(
        415,
        "The body is not of the type that the address takes, or is compressed.",
        "Send Content-Type: application/json (text/csv for a file), and no Content-Encoding.",
    ),
    "validation_failed": Explanation(
        422,
        "The request was understood, but something in it cannot be taken. Nothing was recorded.",
        "Mend every entry of errors, then send again. The same request will fail again.",
    ),
    "outside_update_window": Explanation(
        422,
        "Feedback on this lead was taken for a number of days after its delivery, and they are over.",
        "Send feedback sooner. If this one matters, ask the seller.",
    ),
    "idempotency_key_reused": Explanation(
        422,
        "This Idempotency-Key came with another request within the last 24 hours.",
        "Use a fresh key for each new request, and the same one only for a repetition.",
    ),
    "not_recorded": Explanation(
        422,
        "The row is right, but all or none was asked for, and other rows were refused.",
        "Mend the refused rows and send all of them again, or leave atomic=true out.",
    ),
    "rate_limited": Explanation(
        429,
        "The key has used up its requests for the moment.",
        "Wait as long as Retry-After says. Send many leads in one batch.",
    ),
    "internal_error": Explanation(
        500,
        "The fault is ours. Nothing was recorded.",
        "Send the same request again. If it stays, tell the seller the request id.",
    ),
    "unavailable": Explanation(
        503,
        "The database cannot be reached for the moment. Nothing was recorded.",
        "Keep the feedback and send it again after Retry-After.",
    ),
}
FAULTS: Mapping[str, Explanation] = {
    "required": Explanation(0, "Something that must be sent is missing or empty.", "Send it."),
    "unknown_field": Explanation(
        0,
        "The flow has no field of this name.",
        "Leave it out, or use the name that did_you_mean or the list of fields gives.",
    ),
    "field_not_allowed": Explanation(
        0, "A standard field that this flow does not take.", "Leave it out, or ask the seller to allow it."
    ),
    "invalid_type": Explanation(
        0,
        "The value is of another type than the field: text for a number, say.",
        "Send the type that the list of fields gives; numbers and true or false without quotes.",
    ),
    "invalid_outcome": Explanation(
        0,
        "The outcome is none of the seven words.",
        "Send one of the words exactly, in lower case: converted, not sold, CONVERTED or conv.",
    ),
    "invalid_choice": Explanation(
        0, "The value is none of those that the field takes.", "Send one of the allowed values exactly."
    ),
    "out_of_range": Explanation(
        0, "The number is too small or too large.", "Keep within the limits of the field."
    ),
    "negative_amount": Explanation(
        0, "An amount of money is below zero.", "Send zero or more; a refund is the outcome returned."
    ),
    "too_many_decimals": Explanation(
        0, "The amount has more decimals than the currency.", "Round it before you send it."
    ),
    "invalid_timestamp": Explanation(
        0,
        "A date or time cannot be read, or there is no such day.",
        "Send ISO 8601 with an offset: 2026-01-15T14:30:00Z.",
    ),
    "timestamp_in_future": Explanation(
        0,
        "The time is more than 5 minutes ahead of our clock.",
        "Send when it happened, with the right offset, and check your server's clock.",
    ),
    "timestamp_before_delivery": Explanation(
        0,
        "The time is before the delivery of the lead; most often the time zone is wrong.",
        "Send when it happened, with its offset.",
    ),
    "too_long": Explanation(
        0, "A text, list or object is longer than allowed.", "Shorten it to the limit of the field."
    ),
    "id_mismatch": Explanation(
        0, "lead_id and external_id belong to two different leads.", "Send one of the two."
    ),
}
UNKNOWN = Explanation(0, "The request was refused.", "The answer's detail says why.")


def explain(code: str) -> Explanation:
    """The words for a code, of a problem or of a field."""
    return PROBLEMS.get(code) or FAULTS.get(code) or UNKNOWN
