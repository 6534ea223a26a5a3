"""The recipient: addresses, time zone and language, and the rules that these must meet."""

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from notistream.domain.validation import email_error, phone_error, token_error
from notistream.errors import FieldError

MAX_TOKENS = 20
MAX_LOCALE = 100
# RFC 5646, section 2.1: language, script, region, variants, extensions, private use; without the
# grandfathered tags.
LANGUAGE_TAG = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*(?:-[a-wyz\d](?:-[a-z\d]{2,8})+)*(?:-x(?:-[a-z\d]{1,8})+)?\Z",
    re.ASCII | re.IGNORECASE,
)
MACHINE_ZONES = frozenset({"Factory", "localtime"})  # they mean something else on each machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Where a recipient can be reached."""

    email: str | None = None
    phone: str | None = None
    push_tokens: tuple[str, ...] | None = ()
    """Oldest first; None leaves those that are stored."""
    timezone: str = "UTC"
    locale: str | None = None


def device_mark(token: str) -> str:
    """What traces and events call a device token, which itself is a secret."""
    return sha256(token.encode()).hexdigest()[:16]


def contact_errors(contact: Contact) -> list[FieldError]:
    """Everything wrong with a contact, each with a JSON pointer."""
    found = [
        ("/email", email_error(contact.email) if contact.email is not None else None),
        ("/phone", phone_error(contact.phone) if contact.phone is not None else None),
        *_token_errors(contact.push_tokens or ()),
        ("/timezone", zone_error(contact.timezone)),
        ("/locale", locale_error(contact.locale) if contact.locale is not None else None),
    ]
    return [FieldError(pointer, message) for pointer, message in found if message]


def _token_errors(tokens: Sequence[str]) -> list[tuple[str, str | None]]:
    if len(tokens) > MAX_TOKENS:
        return [("/push_tokens", f"must have at most {MAX_TOKENS} items")]
    return [(f"/push_tokens/{index}", token_error(token)) for index, token in enumerate(tokens)]


def zone_error(name: str) -> str | None:
    """Names are those of the IANA database, capitals included."""
    return (
        None if name in _zones() else "must be the name of an IANA time zone, such as Europe/Berlin"
    )


def locale_error(value: str) -> str | None:
    """The shape of a language tag; whether anybody speaks it is not asked."""
    if len(value) > MAX_LOCALE or not LANGUAGE_TAG.match(value):
        return "must be a language tag (BCP 47), such as en or pt-BR"
    return None


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - MACHINE_ZONES
