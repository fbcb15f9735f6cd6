"""The parties: sellers, their buyers, the users who work for them, and in what role."""

from __future__ import annotations

import zoneinfo
from functools import partial
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from portal.access import ROLES_OF, Paths, Role
from portal.formats import HOUSE, Formats
from portal.ids import new_id

NUMBER_FORMATS = (
    ("comma", "1,234.56"),
    ("point", "1.234,56"),
    ("space", "1 234,56"),
    ("quote", "1’234.56"),
)
DATE_FORMATS = (
    ("words", "24 Nov 2026"),
    ("day", "24.11.2026"),
    ("slash", "24/11/2026"),
    ("month", "11/24/2026"),
    ("iso", "2026-11-24"),
)
CLOCK_FORMATS = (("24", "14:30"), ("12", "2:30 pm"))


class Theme(models.TextChoices):
    """The colours of the pages."""

    SYSTEM = "system", "As the device has it"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


def validate_timezone(value: str) -> None:
    """Accept IANA names such as ``America/Denver``."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            "“%(value)s” is no time zone. Use a name such as America/Denver.", params={"value": value}
        )


class User(AbstractUser):
    """A person. What they may see follows from their memberships, never from this row."""

    access_paths: ClassVar = Paths(
        seller=lambda seller_id: Q(memberships__seller=seller_id) | Q(memberships__buyer__seller=seller_id),
        buyer="memberships__buyer",
    )
    email = models.EmailField("e-mail", unique=True)
    timezone = models.CharField(
        "time zone",
        max_length=64,
        blank=True,
        validators=[validate_timezone],
        help_text="Empty: the time zone of the company.",
    )
    number_format = models.CharField(
        max_length=8, choices=NUMBER_FORMATS, default=HOUSE.numbers, db_default=HOUSE.numbers
    )
    date_format = models.CharField(
        max_length=8, choices=DATE_FORMATS, default=HOUSE.dates, db_default=HOUSE.dates
    )
    clock = models.CharField(max_length=2, choices=CLOCK_FORMATS, default=HOUSE.clock, db_default=HOUSE.clock)
    theme = models.CharField(
        "colours", max_length=6, choices=Theme.choices, default=Theme.SYSTEM, db_default=Theme.SYSTEM
    )
    single_keys = models.BooleanField("single-key shortcuts", default=True, db_default=True)

    class Meta(AbstractUser.Meta):
        verbose_name = "account"
        verbose_name_plural = "accounts"

    def __str__(self) -> str:
        return self.email or self.username

    @property
    def formats(self) -> Formats:
        """How the person reads numbers, dates and times."""
        return Formats(self.number_format, self.date_format, self.clock)


class Party(models.Model):
    """What a seller and a buyer share: an id, a name, a clock."""

    name = models.CharField(max_length=120)
    timezone = models.CharField(
        "time zone", max_length=64, default="America/New_York", validators=[validate_timezone]
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Seller(Party):
    """A lead seller: the tenant. Everything belongs to exactly one."""

    access_paths: ClassVar = Paths(seller="id", buyer=None)
    public_id = models.CharField(
        "id", max_length=64, unique=True, default=partial(new_id, "slr"), editable=False
    )
    slug = models.SlugField(max_length=60, unique=True)


class Buyer(Party):
    """A company that buys leads from one seller."""

    access_paths: ClassVar = Paths(seller="seller", buyer="id")
    public_id = models.CharField(
        "id", max_length=64, unique=True, default=partial(new_id, "byr"), editable=False
    )
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="buyers")
    slug = models.SlugField(max_length=60)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["seller", "slug"], name="buyer_slug_per_seller"),)


OF_THE_ROLES_SIDE = Q(seller__isnull=False, buyer__isnull=True, role__in=ROLES_OF["seller"]) | Q(
    seller__isnull=True, buyer__isnull=False, role__in=ROLES_OF["buyer"]
)


class Membership(models.Model):
    """That a user works for one seller or one buyer, and in what role."""

    access_paths: ClassVar = Paths(
        seller=lambda seller_id: Q(seller=seller_id) | Q(buyer__seller=seller_id), buyer="buyer"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    seller = models.ForeignKey(
        Seller, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships"
    )
    buyer = models.ForeignKey(
        Buyer, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships"
    )
    role = models.CharField(max_length=20, choices=[(role.value, role.label) for role in Role])
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = (
            models.CheckConstraint(
                name="membership_of_the_roles_side",
                condition=OF_THE_ROLES_SIDE,
            ),
            models.UniqueConstraint(fields=["user", "seller"], name="one_membership_per_seller"),
            models.UniqueConstraint(fields=["user", "buyer"], name="one_membership_per_buyer"),
        )

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()} · {self.seller or self.buyer}"

    def clean(self) -> None:
        """The role must be one of the side that the membership names."""
        if bool(self.seller_id) == bool(self.buyer_id):
            raise ValidationError("Choose either a seller or a buyer.")
        side = "seller" if self.seller_id else "buyer"
        if self.role and self.role not in ROLES_OF[side]:
            raise ValidationError({"role": f"This role is not one of a {side}'s roles."})


class Invitation(models.Model):
    """A place at a company, offered by e-mail to one address: open until it is taken, withdrawn or too old.

    Whoever has the link holds the address; here stands only the HMAC of the link's token.
    """

    access_paths: ClassVar = Paths(
        seller=lambda seller_id: Q(seller=seller_id) | Q(buyer__seller=seller_id), buyer="buyer"
    )
    email = models.EmailField("e-mail")
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, null=True, related_name="invitations")
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, null=True, related_name="invitations")
    role = models.CharField(max_length=20, choices=[(role.value, role.label) for role in Role])
    digest = models.CharField(max_length=64, unique=True)  # hex HMAC-SHA256 of the token
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)  # empty: the mail server did not take the last e-mail
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(name="invitation_of_the_roles_side", condition=OF_THE_ROLES_SIDE),
            models.UniqueConstraint(
                fields=["email", "seller"],
                name="one_open_invitation_per_seller",
                condition=Q(accepted_at=None, withdrawn_at=None),
            ),
            models.UniqueConstraint(
                fields=["email", "buyer"],
                name="one_open_invitation_per_buyer",
                condition=Q(accepted_at=None, withdrawn_at=None),
            ),
        )

    def __str__(self) -> str:
        return f"{self.email} · {self.get_role_display()}"

    @property
    def is_over(self) -> bool:
        """Whether the link is too old; it can be sent again."""
        return self.expires_at <= now()
