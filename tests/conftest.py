"""The people of the tests: a seller with a flow, its buyer, and outsiders of each kind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.test import Client

from flows.models import Delivery, Flow, Source
from portal.access import Actor, Role
from portal.actors import actor_for
from portal.models import Buyer, Membership, Seller, User
from portal.sessions import SEEN_EVERY, seen_key
from tests import factories as make


@dataclass
class World:
    """One seller's small world. Every member of it may see the delivery; nobody else may."""

    seller: Seller
    flow: Flow
    source: Source
    buyer: Buyer
    delivery: Delivery
    owner: User
    analyst: User
    manager: User
    agent: User

    def actor(self, user: User) -> Actor:
        membership = Membership.objects.select_related("user", "seller", "buyer").get(user=user)
        return actor_for(membership)


def make_world() -> World:
    """A seller, a flow with every standard field, a source, a buyer with one delivery, four people."""
    flow = make.FlowFactory()
    make.standard_fields(flow)
    source = make.SourceFactory(flow=flow)
    buyer = make.BuyerFactory(seller=flow.seller)
    delivery = make.DeliveryFactory(lead__source=source, buyer=buyer)
    owner, analyst = (
        make.MembershipFactory(seller=flow.seller, role=role).user
        for role in (Role.SELLER_OWNER, Role.SELLER_ANALYST)
    )
    manager, agent = (
        make.MembershipFactory(buyer=buyer, role=role).user for role in (Role.BUYER_MANAGER, Role.BUYER_AGENT)
    )
    return World(flow.seller, flow, source, buyer, delivery, owner, analyst, manager, agent)


@pytest.fixture
def world(db) -> World:
    return make_world()


@pytest.fixture
def other_world(db) -> World:
    """Another tenant."""
    return make_world()


@pytest.fixture
def as_user():
    """``as_user(world.agent)`` → a client in which that person is logged in, and was seen just now."""

    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        cache.set(seen_key(client.session.session_key), 1, SEEN_EVERY)  # so that no page pays for the note
        return client

    return log_in
