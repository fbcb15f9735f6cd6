"""Rows for tests, each with the least that makes it real."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import factory
from django.utils.timezone import now

from flows.models import Agreement, Delivery, Field, Flow, Lead, Source
from portal.access import Role
from portal.models import Buyer, Membership, Seller, User


class SellerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Seller

    name = factory.Sequence(lambda n: f"Seller {n}")
    slug = factory.Sequence(lambda n: f"seller-{n}")


class BuyerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Buyer

    seller = factory.SubFactory(SellerFactory)
    name = factory.Sequence(lambda n: f"Buyer {n}")
    slug = factory.Sequence(lambda n: f"buyer-{n}")


class UserFactory(factory.django.DjangoModelFactory):
    """A user with the password ``correct horse``."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.com")

    @factory.post_generation
    def password(obj, create, extracted, **kwargs):  # noqa: N805  # factory_boy passes the user
        obj.set_password(extracted or "correct horse")
        obj.save()


class MembershipFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    role = Role.SELLER_OWNER


class FlowFactory(factory.django.DjangoModelFactory):
    """A flow without fields; `standard_fields` or a preset gives it a schema."""

    class Meta:
        model = Flow

    seller = factory.SubFactory(SellerFactory)
    name = factory.Sequence(lambda n: f"Flow {n}")


STANDARD_KINDS = {
    "outcome": ("outcome", "buyer_status"),
    "converted": ("boolean", ""),
    "quality_score": ("integer", "buyer_rating"),
    "revenue": ("money", "sale_amount"),
    "commission": ("money", ""),
    "feedback_timestamp": ("time", ""),
    "contacted_date": ("time", "first_contact"),
    "reason": ("text", ""),
    "notes": ("text", ""),
    "recommendations": ("text", ""),
    "issues": ("list", ""),
    "product_details": ("object", ""),
}


def standard_fields(flow: Flow, *names: str) -> None:
    """Give the flow the named standard fields (all of them when none is named), all optional."""
    for position, name in enumerate(names or STANDARD_KINDS):
        kind, maps_to = STANDARD_KINDS[name]
        Field.objects.create(flow=flow, name=name, kind=kind, maps_to=maps_to, position=position)


class SourceFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Source

    flow = factory.SubFactory(FlowFactory)
    name = factory.Sequence(lambda n: f"Source {n}")
    slug = factory.Sequence(lambda n: f"source-{n}")
    base_price = Decimal("20.00")


class AgreementFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Agreement


class LeadFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Lead

    source = factory.SubFactory(SourceFactory)
    flow = factory.SelfAttribute("source.flow")
    first_name = "Maria"
    last_name = factory.Sequence(lambda n: f"Keller{n}")
    email = factory.Sequence(lambda n: f"maria{n}@example.com")
    email_normalised = factory.SelfAttribute("email")
    phone = "(512) 555-1212"
    phone_e164 = "+15125551212"


class DeliveryFactory(factory.django.DjangoModelFactory):
    """A delivery made a day ago; its buyer is given an agreement on the flow."""

    class Meta:
        model = Delivery
        skip_postgeneration_save = True

    lead = factory.SubFactory(LeadFactory)
    flow = factory.SelfAttribute("lead.flow")
    source = factory.SelfAttribute("lead.source")
    buyer = factory.LazyAttribute(lambda o: BuyerFactory(seller=o.flow.seller))
    price = Decimal("20.00")
    delivered_at = factory.LazyFunction(lambda: now() - dt.timedelta(days=1))
    delivered_on = factory.LazyAttribute(lambda o: o.delivered_at.date())

    @factory.post_generation
    def agreement(obj, create, extracted, **kwargs):  # noqa: N805
        Agreement.objects.get_or_create(flow=obj.flow, buyer=obj.buyer)
