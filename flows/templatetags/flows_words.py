"""Decisions in words: ``{% load flows_words %}``."""

from django import template

from flows.actions.base import of_pair
from flows.change_wording import change_words, who_words
from flows.decisions import can_undo, explain, headline, reversal_of
from flows.suggestions import was_withdrawn
from flows.wording import state_words

register = template.Library()
register.filter("explain", explain)
register.filter("headline", headline)
register.filter("can_undo", can_undo)
register.filter("reversal", reversal_of)
register.filter("withdrawn", was_withdrawn)
register.filter("for_buyer", of_pair)
register.filter("state_words", state_words)
register.filter("change_words", change_words)
register.filter("who_words", who_words)
