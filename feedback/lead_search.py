"""Find leads by name, e-mail, phone or either id, as a person types them.

On PostgreSQL each reading of the text has an index (migration ``flows/0014_lead_search``), so that a million
deliveries are searched like a thousand. But an index serves one table: "this id or that name" over two of
them would read every row. So ids are looked for first; only a text that is one is searched by a union.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from feedback.desk import Desk
from flows.models import Delivery
from flows.suppression import normalise_phone
from portal.access import visible_to

DIALLED = re.compile(r"[\d\s()+./-]+", re.ASCII)
FEWEST_DIGITS = 4  # of a phone number that is looked for by a part of it
FEWEST_LETTERS = 3  # of a name that is looked for by a part of it: shorter ones are meant whole (Li, Wu)
OFTEN = 1_000  # a text with which more own ids than that begin is taken for an id, and nothing else
Rows = QuerySet[Delivery]


def found_by(text: str, rows: Rows, desk: Desk) -> Rows:
    """Those of the rows that the text names. Two small queries, to see whether it is an id."""
    mine = visible_to(desk.actor, Delivery.objects.order_by())
    contact = _by_contact(text, desk)
    ids = [(each, _count(mine, each)) for each in (Q(public_id=text), Q(external_id__istartswith=text))]
    calling = [by_id for by_id, count in ids if count]
    if not calling:
        return rows.filter(contact)
    if any(count > OFTEN for _, count in ids):
        return rows.filter(reduce(or_, calling))
    known, *called = [mine.filter(each).values("pk") for each in (contact, *calling)]
    return rows.filter(pk__in=known.union(*called))


def _count(mine: Rows, by_id: Q) -> int:
    return len(mine.filter(by_id).values_list("pk", flat=True)[: OFTEN + 1])


def _by_contact(text: str, desk: Desk) -> Q:
    """Name, e-mail or phone, within the flows whose contacts are shown."""
    if not desk.contact_flows:
        return Q(pk__in=[])
    return Q(lead__flow__in=desk.contact_flows) & (_by_name(text) | _by_email(text) | _by_phone(text, desk))


def _by_name(text: str) -> Q:
    """Every word is in the first or in the last name."""
    words = Q()
    for word in text.split():
        part = "iexact" if len(word) < FEWEST_LETTERS else "icontains"
        words &= Q(**{f"lead__first_name__{part}": word}) | Q(**{f"lead__last_name__{part}": word})
    return words


def _by_email(text: str) -> Q:
    return Q(lead__email__icontains=text) if len(text) >= FEWEST_LETTERS else Q(pk__in=[])


def _by_phone(text: str, desk: Desk) -> Q:
    """A number typed in any format, or a part of one."""
    digits = re.sub(r"\D", "", text)
    if len(digits) < FEWEST_DIGITS or not DIALLED.fullmatch(text):
        return Q(pk__in=[])
    whole = {normalise_phone(text, flow.country) for flow in desk.flows} - {""}
    return Q(lead__phone_e164__in=whole) | Q(lead__phone_e164__contains=digits)
