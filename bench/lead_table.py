"""The buyer's list of leads: each page with many deliveries, against a full page of a thousand.

``make bench`` takes 50,000. A million: ``BENCH_LEADS=1000000 DATABASE_URL=postgres://… python -m
bench.lead_table``. Rows are made by SQL, with names as frequent as names are; a third waits for feedback.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from dataclasses import dataclass
from urllib.parse import quote

from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

DAY = dt.timedelta(days=1)
FEW = 1_000
MANY = int(os.environ.get("BENCH_LEADS", "50000"))
DAYS = 80  # over which deliveries are spread: all of them still take feedback
AT_MOST = 3.0  # times the page of few
TIMES = 5
FIRSTS = "Mary James Linda John Susan Robert Ana Li Tom Wu Maria David Karen Peter Olga"
ONSETS = "BCDFGHKLMNPRSTVW"
RHYMES = "aker ell ones ith ams ertz ova ong etti iller"
FIRST = FIRSTS.split()
LAST = [onset + rhyme for rhyme in RHYMES.split() for onset in ONSETS]

LEADS = """
INSERT INTO flows_lead (flow_id, source_id, first_name, last_name, email, phone, email_normalised,
    phone_e164, data, created_at)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %(count)s - 1)
SELECT %(flow)s, s.id, f.name, l.name, lower(f.name) || '.' || lower(l.name) || i || '@example.com',
    '303-' || (5550000 + i), lower(f.name) || '.' || lower(l.name) || i || '@example.com',
    '+1303' || (5550000 + i), '{}', %(now)s
FROM n
JOIN bench_names f ON f.kind = 'first' AND f.place = (i * 7) %% %(firsts)s
JOIN bench_names l ON l.kind = 'last' AND l.place = ((i / 3) * 11) %% %(lasts)s
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM flows_source WHERE flow_id = %(flow)s) s
    ON s.place = CASE WHEN i %% 500 = 0 THEN 1 ELSE 0 END
"""
DELIVERIES = """
INSERT INTO flows_delivery (public_id, flow_id, lead_id, source_id, buyer_id, external_id, price,
    delivered_at, delivered_on, outcome, conversion_status, quality_score, revenue, fields, feedback_count,
    version, updated_at)
SELECT 'evt_bench' || id, flow_id, id, source_id, %(buyer)s, 'CRM-' || id, 20, {moment}, %(today)s,
    CASE WHEN id %% 1000 = 7 THEN 'duplicate' WHEN id %% 3 = 0 THEN NULL WHEN id %% 9 = 1 THEN 'converted'
        WHEN id %% 9 = 2 THEN 'not_interested' ELSE 'contacted' END,
    CASE WHEN id %% 1000 = 7 THEN 'not_sold' WHEN id %% 9 = 1 THEN 'sold' WHEN id %% 9 = 2 THEN 'not_sold'
        ELSE 'pending' END,
    CASE WHEN id %% 9 = 1 THEN 1 + id %% 5 END, CASE WHEN id %% 9 = 1 THEN id %% 4000 END,
    '{{}}', CASE WHEN id %% 1000 <> 7 AND id %% 3 = 0 THEN 0 ELSE 1 END, 1, %(now)s
FROM flows_lead WHERE flow_id = %(flow)s
"""
MOMENT = {
    "postgresql": "%(now)s - (id - %(first)s + 1) * %(step)s * interval '1 second'",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %(now)s, "
    "'-' || ((id - %(first)s + 1) * %(step)s) || ' seconds')",
}


@dataclass
class Desk:
    """A buyer's desk with so many leads, and somebody logged in at it."""

    buyer: object
    client: Client
    middle: object  # the delivery half way down the list

    def seconds(self, query: str) -> float:
        from bench.measures import seconds

        def look() -> None:
            response = self.client.get(f"/leads/{query}")
            assert response.status_code == 200, query

        look()
        return seconds(look, TIMES)


def make_desk(name: str, count: int) -> Desk:
    from flows.models import Agreement, Delivery, Flow, Source
    from flows.presets import set_up_flow
    from portal.access import Role
    from portal.models import Buyer, Membership, Seller, User

    slug = f"{name}-{timezone.now():%H%M%S%f}"
    seller = Seller.objects.create(name=slug, slug=slug)
    buyer = Buyer.objects.create(seller=seller, name=name, slug="buyer")
    user = User.objects.create(username=slug, email=f"{slug}@example.com")
    Membership.objects.create(user=user, buyer=buyer, role=Role.BUYER_AGENT)
    flow = Flow.objects.create(seller=seller, name="Flow")
    set_up_flow(flow)
    Agreement.objects.create(flow=flow, buyer=buyer, schedule=Agreement.Schedule.DAILY)
    for source in ("Usual", "Seldom"):
        Source.objects.create(flow=flow, name=source, slug=source.lower())
    fill(flow, buyer, count)
    client = Client()
    client.force_login(user)
    middle = Delivery.objects.filter(buyer=buyer).order_by("-delivered_at")[count // 2]
    return Desk(buyer, client, middle)


def fill(flow, buyer, count: int) -> None:
    now = timezone.now()
    values = {"count": count, "flow": flow.pk, "buyer": buyer.pk, "now": now, "today": now.date()}
    values |= {"firsts": len(FIRST), "lasts": len(LAST), "step": DAYS * 86_400 / count}
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bench_names (kind varchar(5), place int, name varchar(20))")
        for kind, names in (("first", FIRST), ("last", LAST)):
            rows = [(kind, place, name) for place, name in enumerate(names)]
            cursor.executemany("INSERT INTO bench_names VALUES (%s, %s, %s)", rows)
        cursor.execute(LEADS, values)
        cursor.execute("SELECT min(id) FROM flows_lead WHERE flow_id = %s", [flow.pk])
        values["first"] = cursor.fetchone()[0]
        cursor.execute(DELIVERIES.format(moment=MOMENT[connection.vendor]), values)
        cursor.execute("DROP TABLE bench_names")
        for table in ("flows_lead", "flows_delivery"):
            cursor.execute(f"VACUUM ANALYZE {table}" if connection.vendor == "postgresql" else "ANALYZE")


def questions(desk: Desk) -> dict[str, str]:
    """What a page is asked, by the words for it."""
    from portal.keyset import Sorted, to_token

    lead, today = desk.middle.lead, timezone.localdate()
    newest = Sorted(("delivered_at",), descending=True)
    half_way = quote(to_token(newest, newest.values(desk.middle), 5000))
    return {
        "due for feedback": "",
        "all": "?show=all",
        "all, half way down": f"?show=all&after={half_way}",
        "a frequent outcome": "?outcome=contacted",
        "a rare outcome": "?outcome=duplicate",
        "converted": "?show=converted",
        "in progress": "?show=open",
        "a rare source": "?source=seldom",
        "due, of a rare source": "?show=due&source=seldom",
        "ten days": f"?delivered_from={today - 40 * DAY}&delivered_to={today - 30 * DAY}",
        "by revenue": "?show=all&sort=-revenue",
        "by quality, the rare outcome": "?outcome=duplicate&sort=quality",
        "search a frequent name": "?q=maria",
        "search a whole name": f"?q={quote(f'{lead.first_name} {lead.last_name}')}",
        "search two letters": "?q=li",
        "search a part of a name": "?q=hov",
        "search nobody's name": "?q=zzyzx",
        "search a name in due": "?show=due&q=baker",
        "search an e-mail address": f"?q={quote(lead.email)}",
        "search a phone number": f"?q={quote(lead.phone)}",
        "search our id": f"?q={desk.middle.public_id}",
        "search the buyer's id": f"?q={desk.middle.external_id}",
    }


@override_settings(
    ALLOWED_HOSTS=["testserver"],
    STORAGES={
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
)
def lead_table() -> list:
    from bench.measures import Result

    few, many = make_desk("few", FEW), make_desk("many", MANY)
    results = []
    for name, query in questions(many).items():
        # Measured side by side, as the machine has other things to do too.
        this, against = many.seconds(query), few.seconds("?show=all")
        results.append(
            Result(
                f"{MANY:,} leads, {name}: against {FEW:,}",
                f"{this * 1000:.0f} ms",
                f"{against * 1000:.0f} ms",
                this / against,
                at_most=AT_MOST,
            )
        )
    return results


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    import django

    django.setup()
    from django.core.management import call_command

    from bench.__main__ import report

    call_command("migrate", verbosity=0)
    sys.exit(report(lead_table()))
