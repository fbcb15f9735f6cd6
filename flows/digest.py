"""The alerts of a day in one e-mail, for sellers who wish it so.

Each alert that is not sent at once is marked as awaiting its digest in the transaction that raises it, so
that none is lost however late it commits. The mark goes in the transaction that writes the e-mail into the
outbox, so that none is told twice.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from flows.channels import FROM, NOBODY, WEIGHT, teams_of
from flows.locks import locked
from flows.models import Alert, AlertSettings, OutboxMessage

MOST = 40  # lines of a section; the app has them all
log = logging.getLogger(__name__)


def send_digests(*, now: dt.datetime | None = None) -> int:
    """Write the digests that are due; → how many. One seller's trouble stops no other's."""
    sent, at = 0, now or timezone.now()
    waiting = Alert.objects.filter(awaits_digest=True).order_by("seller_id")
    for seller_id in list(waiting.values_list("seller_id", flat=True).distinct()):
        try:
            sent += _send(seller_id, at)
        except Exception:
            log.exception("The digest of seller %s failed", seller_id)
    return sent


def next_digest(after: dt.datetime, hour: int, zone: ZoneInfo) -> dt.datetime:
    """The first time after ``after`` that clocks in ``zone`` show ``hour``, in UTC.

    Where the clock is put forward over that hour, when it would have come; where an hour is had twice, the
    first.
    """
    day = after.astimezone(zone).date()
    while True:
        moment = dt.datetime.combine(day, dt.time(hour), zone).astimezone(dt.UTC)
        if moment > after:
            return moment
        day += dt.timedelta(days=1)


@transaction.atomic
def _send(seller_id: int, now: dt.datetime) -> bool:
    """Of several workers the first takes the alerts; to the others nothing is left."""
    wish = AlertSettings.objects.select_related("seller").get(seller=seller_id)
    waiting = locked(Alert.objects.filter(seller=seller_id, awaits_digest=True))
    news = list(waiting.prefetch_related("resolves").order_by("created_at", "pk"))
    zone = ZoneInfo(wish.seller.timezone)
    if not news or not _is_due(wish, news[0], now, zone):
        return False
    Alert.objects.filter(pk__in=[each.pk for each in news]).update(awaits_digest=False)
    AlertSettings.objects.filter(pk=wish.pk).update(digest_sent_on=now.astimezone(zone).date())
    team = teams_of({seller_id}).get(seller_id, NOBODY)
    if not (team.by_email and team.addresses):
        return False  # they have chosen otherwise since
    OutboxMessage.objects.create(
        seller_id=seller_id,
        kind="email",
        payload={"to": list(team.addresses), **_mail(news, _standing(wish, news), now, zone)},
        next_attempt_at=now,
        created_at=now,
    )
    return True


def _is_due(wish: AlertSettings, oldest: Alert, now: dt.datetime, zone: ZoneInfo) -> bool:
    """From the hour after the oldest came, once a day; at once where the digest was switched off since."""
    if not (wish.digest and wish.by_email):
        return True
    today = now.astimezone(zone).date()
    sent_today = wish.digest_sent_on is not None and wish.digest_sent_on >= today
    return not sent_today and now >= next_digest(oldest.created_at, wish.digest_hour, zone)


def _standing(wish: AlertSettings, news: Sequence[Alert]) -> list[Alert]:
    """What was told before and lasts, as far as its level interests them."""
    levels = [level for level, weight in WEIGHT.items() if weight >= FROM[wish.email_level]]
    lasting = Alert.objects.filter(seller=wish.seller_id, resolved_at=None, level__in=levels)
    told = lasting.exclude(condition="").exclude(pk__in=[each.pk for each in news])
    return list(told.order_by("created_at", "pk"))


def _mail(
    news: Sequence[Alert], standing: Sequence[Alert], now: dt.datetime, zone: ZoneInfo
) -> dict[str, str]:
    raised = [each for each in news if each.resolves is None]
    resolved = [each.resolves for each in news if each.resolves is not None]
    counts = {"new": len(raised), "resolved": len(resolved), "still there": len(standing)}
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    sections = (
        _section("New", [f"{_when(each.created_at, zone)}  {_line(each)}" for each in raised]),
        _section("Resolved", [f"{_when(each.resolved_at or now, zone)}  {each.title}" for each in resolved]),
        _section("Still there", [f"since {_when(each.created_at, zone)}  {each.title}" for each in standing]),
        f"{settings.BASE_URL}/alerts/\n",
    )
    return {
        "subject": f"Alerts of {_day(now.astimezone(zone))}: {told}",
        "body": "\n\n".join(part for part in sections if part),
    }


def _section(head: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = [f"… and {len(lines) - MOST:,} more"] if len(lines) > MOST else []
    return "\n".join([head, *(f"- {line}" for line in (*lines[:MOST], *more))])


def _line(alert: Alert) -> str:
    return f"{alert.title}\n  {alert.body}" if alert.body else alert.title


def _when(moment: dt.datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{_day(local)}, {local:%H:%M}"


def _day(moment: dt.datetime) -> str:
    return f"{moment.day} {moment:%b}"
