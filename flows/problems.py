"""What can be wrong with a request, as values: every door turns the same problem into its own answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one field. ``message`` says what to do; ``field`` is "" for the whole body."""

    field: str
    code: str
    message: str
    allowed: tuple[str, ...] = ()
    did_you_mean: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fault as an entry of a problem's ``errors``."""
        answer: dict[str, Any] = {"field": self.field, "code": self.code, "message": self.message}
        if self.allowed:
            answer["allowed"] = list(self.allowed)
        if self.did_you_mean:
            answer["did_you_mean"] = self.did_you_mean
        return answer


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was refused: an HTTP status, a code of the contract, and every fault found.

    ``extra`` are further members of the problem document (``delivered_at``, ``window_days`` …),
    ``headers`` further headers of the answer (``Allow``, ``Retry-After`` …).
    """

    status: int
    code: str
    title: str
    detail: str
    faults: tuple[Fault, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self, request_id: str = "") -> dict[str, Any]:
        """The RFC 9457 document."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
            "errors": [fault.as_json() for fault in self.faults],
            **self.extra,
        }

    def as_text(self) -> str:
        """For people: the faults' messages in one line, or the detail."""
        return (
            "; ".join(
                f"{fault.field}: {fault.message}" if fault.field else fault.message for fault in self.faults
            )
            or self.detail
        )


class ProblemError(Exception):
    """Raised where the request as a whole is refused; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem
