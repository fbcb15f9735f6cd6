"""The accounts of the demo world: sellers, buyers, flows, people, keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password

from feedback.demo import world
from feedback.demo.policies import add_policies
from flows import keys
from flows.models import Agreement, ApiKey, Flow, Rule, Source
from flows.presets import set_up_flow
from portal.access import Actor, Role
from portal.actors import actor_for
from portal.models import Buyer, Membership, Seller, User


@dataclass
class Party:
    """A seller or a buyer with what the replay and the card need of it."""

    row: Seller | Buyer
    flows: list[Flow]
    person: User
    actor: Actor
    keys: dict[str, str] = field(default_factory=dict)  # "live" and "test": the keys as shown once


@dataclass
class FlowParties:
    """A flow with its sources and buyers, by slug."""

    of: world.FlowWorld
    row: Flow
    seller: Party
    sources: dict[str, Source]
    buyers: dict[str, Party]


class Founder:
    """Makes every account of the world, dated from before its first day."""

    def __init__(self, since: dt.datetime, password: str) -> None:
        self.since = since
        self.password = make_password(password)  # one hash for all: making 17 would take seconds

    def found(self) -> list[FlowParties]:
        self.user(world.ADMIN, "admin", is_staff=True, is_superuser=True)
        return [parties for seller in world.SELLERS for parties in self.seller(seller)]

    def seller(self, of: world.SellerWorld) -> Iterable[FlowParties]:
        seller = Seller.objects.create(
            name=of.name, slug=of.slug, timezone=of.timezone, created_at=self.since
        )
        flows = [self.flow(each, seller) for each in of.flows]
        owner = self.member(of.owner, of.slug, Role.SELLER_OWNER, seller=seller)
        self.member(of.analyst, f"{of.slug}-analyst", Role.SELLER_ANALYST, seller=seller)
        party = Party(seller, flows, owner.user, actor_for(owner))
        party.keys = self.issue(party)
        for each, row in zip(of.flows, flows, strict=True):
            sources = {source.slug: self.source(source, row) for source in each.sources}
            buyers = {buyer.slug: self.buyer(buyer, seller, row) for buyer in each.buyers}
            yield FlowParties(each, row, party, sources, buyers)

    def flow(self, of: world.FlowWorld, seller: Seller) -> Flow:
        flow = Flow.objects.create(
            public_id=of.public_id,
            seller=seller,
            name=of.name,
            timezone=of.timezone,
            update_window_days=of.window_days,
            created_at=self.since,
        )
        set_up_flow(flow, of.preset)
        # What this seller changed in the rules they were given.
        pricing = Rule.objects.filter(flow=flow, metric="conversion_rate")
        pricing.update(maturity_days=of.maturity_days)
        add_policies(flow)
        return flow

    def source(self, of: world.SourceTruth, flow: Flow) -> Source:
        return Source.objects.create(
            flow=flow,
            name=of.name,
            slug=of.slug,
            base_price=of.base_price,
            daily_cap=of.daily_cap,
            created_at=self.since,
        )

    def buyer(self, of: world.BuyerWorld, seller: Seller, flow: Flow) -> Party:
        buyer = Buyer.objects.create(
            seller=seller, name=of.name, slug=of.slug, timezone=of.timezone, created_at=self.since
        )
        Agreement.objects.create(flow=flow, buyer=buyer, schedule=of.schedule, created_at=self.since)
        manager = self.member(of.manager, of.slug, Role.BUYER_MANAGER, buyer=buyer)
        self.member(of.agent, f"{of.slug}-agent", Role.BUYER_AGENT, buyer=buyer)
        party = Party(buyer, [flow], manager.user, actor_for(manager))
        party.keys = self.issue(party)
        return party

    def member(
        self,
        name: str,
        username: str,
        role: Role,
        *,
        seller: Seller | None = None,
        buyer: Buyer | None = None,
    ) -> Membership:
        return Membership.objects.create(
            user=self.user(name, username), role=role, seller=seller, buyer=buyer, created_at=self.since
        )

    def user(self, name: str, username: str, **more: bool) -> User:
        first, _, last = name.partition(" ")
        return User.objects.create(
            username=username,
            email=f"{first}.{last}@example.com".lower(),
            first_name=first,
            last_name=last,
            password=self.password,
            date_joined=self.since,
            **more,
        )

    def issue(self, party: Party) -> dict[str, str]:
        """A live and a test key, as they are shown once."""
        row = party.row
        owner = {"seller": row} if isinstance(row, Seller) else {"buyer": row}
        shown = {}
        for name, livemode in (("live", True), ("test", False)):
            key, shown[name] = keys.issue(name=f"{row.name}, {name}", livemode=livemode, **owner)
            ApiKey.objects.filter(pk=key.pk).update(created_at=self.since)
        return shown
