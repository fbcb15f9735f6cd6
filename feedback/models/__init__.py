"""What came back: append-only events, the change sets and uploads they came in, the cells made of them."""

from feedback.models.bulk import BulkChange, BulkLead
from feedback.models.cells import SourceDay, StaleMark
from feedback.models.events import ChangeSet, Door, ExternalIdChange, Feedback
from feedback.models.returns import Credit, ReturnEvidence, ReturnMessage, ReturnRequest
from feedback.models.uploads import ProposedMatch, RefusedRow, RememberedMapping, Upload
from feedback.models.views import SavedView

__all__ = [
    "BulkChange",
    "BulkLead",
    "ChangeSet",
    "Credit",
    "Door",
    "ExternalIdChange",
    "Feedback",
    "ProposedMatch",
    "RefusedRow",
    "RememberedMapping",
    "ReturnEvidence",
    "ReturnMessage",
    "ReturnRequest",
    "SavedView",
    "SourceDay",
    "StaleMark",
    "Upload",
]
