"""WHO YOU ARE: the Django project, the parties, and the sole gate to their objects."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
