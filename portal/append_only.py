"""Rows that are written once: neither changed nor deleted by anything that goes through Django."""

from __future__ import annotations

from typing import Any, ClassVar, Never

from django.db import models


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Refuses what would rewrite history. Rows go only with what they hang on, by cascade."""

    def update(self, **kwargs: Any) -> Never:
        raise TypeError(self.model.refusal)

    def bulk_update(self, *args: Any, **kwargs: Any) -> Never:
        raise TypeError(self.model.refusal)

    def delete(self) -> Never:
        raise TypeError(self.model.refusal)


class AppendOnly(models.Model):
    """A row that is inserted, and stays. ``refusal`` says what to do instead of changing it."""

    refusal: ClassVar[str]

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        if not self._state.adding:
            raise TypeError(self.refusal)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Never:
        raise TypeError(self.refusal)
