"""By which channels a seller's people hear of an alert, as the seller has set it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from flows.models import Alert, AlertSettings
from portal.models import Membership

Level, Least = Alert.Level, AlertSettings.Least
Post = Literal["now", "digest", "never"]
WEIGHT: Mapping[str, int] = {Level.INFO: 0, Level.GOOD: 0, Level.WARN: 1, Level.BAD: 2}
FROM: Mapping[str, int] = {Least.ALL: 0, Least.WARN: 1, Least.BAD: 2}


@dataclass(frozen=True, slots=True)
class Team:
    """The people of one seller and how they wish to be told."""

    addresses: tuple[str, ...] = ()
    by_email: bool = True
    least: str = Least.ALL
    digest: bool = False

    def post(self, level: str) -> Post:
        """When an alert of this level goes to them by e-mail. A problem never waits for the digest."""
        if not (self.addresses and self.by_email) or WEIGHT[level] < FROM[self.least]:
            return "never"
        return "digest" if self.digest and level != Level.BAD else "now"


NOBODY = Team()


def teams_of(seller_ids: Collection[int]) -> dict[int, Team]:
    """Those who work for each seller, in one query; sellers without anybody to write to are left out."""
    members = Membership.objects.filter(seller__in=seller_ids, user__is_active=True).exclude(user__email="")
    rows = members.order_by("pk").values_list(
        "seller_id",
        "user__email",
        "seller__alert_settings__by_email",
        "seller__alert_settings__email_level",
        "seller__alert_settings__digest",
    )
    teams: dict[int, Team] = {}
    for seller_id, address, by_email, least, digest in rows:
        before = teams.get(seller_id, NOBODY).addresses
        is_set = by_email is not None  # else the seller has no row of settings
        teams[seller_id] = (
            Team((*before, address), by_email, least, digest) if is_set else Team((*before, address))
        )
    return teams
