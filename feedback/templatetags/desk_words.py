"""For the pages of leads: ``{% load desk_words %}``."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def of(mapping: Mapping[str, Any], name: str) -> Any:
    """What the mapping has under a name that the template holds; None where it has nothing."""
    return mapping.get(name) if mapping else None
