"""API keys: shown once, looked up by prefix, compared by HMAC, rotated with overlap, revoked at once.

A key reads ``ll_live_<8 prefix>_<32 secret><6 checksum>`` (``ll_test_…`` for tests). The checksum is the
CRC32 of all before it, so a mistyped or invented key is refused without a query. The database holds the
prefix and an HMAC-SHA256 of the whole key under a pepper derived from SECRET_KEY: a leak of the table leaks
no key.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import string
import zlib
from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from flows.models import ApiKey, Flow
from flows.problems import Problem, ProblemError
from portal.access import Actor
from portal.models import Buyer, Seller

ALPHABET = string.digits + string.ascii_letters
PREFIX_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 8, 32, 6  # 62⁶ > 2³²: a CRC32 fits into the checksum
SHAPE = re.compile(r"(ll_(?:live|test)_[0-9A-Za-z]{8})_[0-9A-Za-z]{38}")
USED_EVERY = dt.timedelta(minutes=1)  # how often last_used_at is written
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Leadloop"'}


class KeyOverError(ProblemError):
    """Raised to one who holds the whole of a key that opens nothing any more."""

    def __init__(self, key: ApiKey, code: str, detail: str) -> None:
        super().__init__(unauthorised(code, detail).problem)
        self.key = key


def issue(
    *,
    name: str,
    seller: Seller | None = None,
    buyer: Buyer | None = None,
    livemode: bool = True,
    flows: Iterable[Flow] | None = None,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key of one party; → the row and the key's text, which can never be shown again.

    ``flows``: the only flows it opens, all of the key's seller; None: every flow of the party.
    ValidationError where not exactly one party is named or a flow is another seller's.
    """
    owner = seller or (buyer.seller if buyer else None)
    allowed = list(flows or ())
    if (seller is None) == (buyer is None):
        raise ValidationError("A key belongs to one seller or to one buyer.")
    if any(flow.seller_id != owner.pk for flow in allowed if owner):
        raise ValidationError("A key opens only flows of its own seller.")
    prefix, text = _make_text("live" if livemode else "test")
    key = ApiKey(name=name, seller=seller, buyer=buyer, livemode=livemode, expires_at=expires_at)
    key.prefix, key.digest, key.all_flows = prefix, _digest(text), flows is None
    with transaction.atomic():
        key.save()
        key.flows.set(allowed)
    return key, text


def rotate(
    key: ApiKey, *, overlap: dt.timedelta = dt.timedelta(days=7), now: dt.datetime | None = None
) -> tuple[ApiKey, str]:
    """Replace a key: the new one opens the same, the old one goes on for ``overlap`` or until its own end.

    ValidationError where the key is revoked or was replaced already.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        old = _locked(key)
        if old.revoked_at or old.replaced_by_id:
            raise ValidationError("This key is revoked or replaced already. Rotate the key that replaced it.")
        fresh, text = issue(
            name=old.name,
            seller=old.seller,
            buyer=old.buyer,
            livemode=old.livemode,
            flows=None if old.all_flows else old.flows.all(),
            expires_at=old.expires_at if old.expires_at and old.expires_at > moment else None,
        )
        key.replaced_by = fresh
        key.expires_at = min(filter(None, (old.expires_at, moment + overlap)))
        key.save(update_fields=["replaced_by", "expires_at"])
    return fresh, text


def revoke(key: ApiKey, *, now: dt.datetime | None = None) -> None:
    """Close a key at once and for good; a key that is closed already keeps its time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now or timezone.now())
    key.refresh_from_db(fields=["revoked_at"])


def authenticate(text: str, *, now: dt.datetime | None = None) -> tuple[ApiKey, Actor]:
    """The key and its actor. ProblemError 401; only who holds the whole key learns that it is over."""
    moment = now or timezone.now()
    prefix = _checked_prefix(text)
    if prefix is None:
        raise invalid_api_key()
    key = _with_party(ApiKey.objects.filter(prefix=prefix)).first()
    if key is None or not _is_digest_of(text, key.digest):
        raise invalid_api_key()
    if key.revoked_at:
        raise KeyOverError(key, "revoked_api_key", "This API key was revoked. Use another one.")
    if key.expires_at and key.expires_at <= moment:
        raise KeyOverError(key, "expired_api_key", "This API key has expired. Use the one that replaced it.")
    _note_use(key, moment)
    return key, actor_of_key(key)


def actor_of_key(key: ApiKey) -> Actor:
    """The actor that a key makes of its party: without a role, with the key's limit to some flows."""
    party: Seller | Buyer = key.seller or key.buyer  # type: ignore[assignment]  # a check constraint
    return Actor(
        side="seller" if key.seller_id else "buyer",
        party_id=party.pk,
        key_id=key.pk,
        flow_ids=None if key.all_flows else frozenset(flow.pk for flow in key.flows.all()),
        party_name=party.name,
        timezone=party.timezone,
    )


def unauthorised(code: str, detail: str) -> ProblemError:
    """A 401 with its challenge."""
    return ProblemError(Problem(401, code, "The API key does not open this", detail, headers=CHALLENGE))


def invalid_api_key() -> ProblemError:
    """The one answer to every key that never was right."""
    return unauthorised(
        "invalid_api_key", "This is not a key of this installation. Check that it is complete."
    )


def _make_text(mode: str) -> tuple[str, str]:
    prefix = f"ll_{mode}_{_random(PREFIX_LENGTH)}"
    body = f"{prefix}_{_random(SECRET_LENGTH)}"
    return prefix, body + _checksum(body)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    """CRC32 in base 62, six characters."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _checked_prefix(text: str) -> str | None:
    """The prefix of a text that has a key's shape and checksum."""
    match = SHAPE.fullmatch(text)
    if match is None or text[-CHECKSUM_LENGTH:] != _checksum(text[:-CHECKSUM_LENGTH]):
        return None
    return match[1]


def _digest(text: str, secret: str | bytes | None = None) -> str:
    return salted_hmac("leadloop.api-key", text, secret=secret, algorithm="sha256").hexdigest()


def _is_digest_of(text: str, digest: str) -> bool:
    """Under today's SECRET_KEY or one that it replaced, so that changing it closes no key."""
    pepper_of = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(_digest(text, secret), digest) for secret in pepper_of)


def _with_party(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    return keys.select_related("seller", "buyer").prefetch_related("flows")


def _locked(key: ApiKey) -> ApiKey:
    """The row as it is now, locked: two rotations at once make one new key."""
    return ApiKey.objects.select_for_update().get(pk=key.pk)


def _note_use(key: ApiKey, moment: dt.datetime) -> None:
    """Write last_used_at, at most once a minute: a busy key costs no write a request."""
    if key.last_used_at is None or moment - key.last_used_at >= USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=moment)
