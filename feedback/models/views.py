"""Questions about leads that people keep under a name."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlencode

from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now

from portal.access import Paths
from portal.models import Buyer, User


class SavedView(models.Model):
    """Filters, order and columns of the list of leads under a name: a person's own, or their team's.

    ``query`` is what the address asks, without columns, page and view. A person's own views are for that
    person alone: `feedback.saved_views` says who sees and who changes which.
    """

    access_paths: ClassVar = Paths(seller=None, buyer="buyer")
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, related_name="saved_views")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.TextField(blank=True)
    columns = models.JSONField(default=list, blank=True)  # names; none: the usual ones
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-shared", Lower("name"), "pk")
        constraints = (
            models.UniqueConstraint(
                "buyer", Lower("name"), name="shared_view_name_once", condition=models.Q(shared=True)
            ),
            models.UniqueConstraint(
                "buyer", "user", Lower("name"), name="own_view_name_once", condition=models.Q(shared=False)
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """The query of the list that shows the view."""
        columns = urlencode([("column", name) for name in self.columns])
        return "&".join(part for part in (self.query, columns, f"view={self.pk}") if part)
