"""The door for CRMs that post feedback to LeadConduit: ``GET|POST /feedback?event_id=…``."""

from feedback.leadconduit.door import feedback

__all__ = ["feedback"]
