"""Decisions in words: ``{% load flows_words %}``."""

from django import template

from flows.decisions import can_undo, explain, headline
from flows.wording import state_words

register = template.Library()
register.filter("explain", explain)
register.filter("headline", headline)
register.filter("can_undo", can_undo)
register.filter("state_words", state_words)
