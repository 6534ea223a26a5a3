"""Rules for the fields of a create request; every check returns what is wrong, or None."""

import re
from collections.abc import Callable, Mapping

from email_validator import EmailNotValidError, validate_email
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from notistream.domain.notification import AddressKind

E164 = re.compile(r"\+[1-9]\d{6,14}\Z", re.ASCII)
COUNTRY = re.compile(rf"\+(?:{'|'.join(map(str, COUNTRY_CODE_TO_REGION_CODE))})")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
ENCODED_WORD = re.compile(
    r"=\?[^?]*\?[BbQq]\?"
)  # how one begins; mail programs are lax about the rest
MAX_TOKEN = 4096
MAX_RECIPIENT_ID = 255
MAX_NAME = 255
MAX_SUBJECT = 998


def phone_error(value: str) -> str | None:
    """E.164 with a country code that exists: as `phonenumbers.parse`, at a tenth of its cost."""
    if not E164.match(value):
        return "must be a phone number in E.164 form, such as +905000000000"
    if not COUNTRY.match(value):
        return "must begin with a country code that exists"
    return None


def header_error(value: str) -> str | None:
    """What is wrong with text for a header: line ends, also encoded ones."""
    if CONTROL.search(value):
        return "must not contain control characters"
    return "must not contain encoded words (RFC 2047)" if ENCODED_WORD.search(value) else None


def subject_error(value: str) -> str | None:
    return header_error(value) or length_error(value, MAX_SUBJECT)


def email_error(value: str) -> str | None:
    if error := header_error(value):
        return error
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as exc:
        return f"is not an e-mail address: {exc}"
    return None


def token_error(value: str) -> str | None:
    if not value.strip() or CONTROL.search(value):
        return "must be a device token without control characters"
    return f"must have at most {MAX_TOKEN} characters" if len(value) > MAX_TOKEN else None


def recipient_id_error(value: str) -> str | None:
    if not value.strip() or CONTROL.search(value):
        return "must be an id without control characters"
    return (
        f"must have at most {MAX_RECIPIENT_ID} characters"
        if len(value) > MAX_RECIPIENT_ID
        else None
    )


ADDRESS_CHECKS: Mapping[AddressKind, Callable[[str], str | None]] = {
    AddressKind.PHONE: phone_error,
    AddressKind.EMAIL: email_error,
    AddressKind.DEVICE: token_error,
    AddressKind.RECIPIENT_ID: recipient_id_error,
}


def length_error(text: str, limit: int) -> str | None:
    """Characters are counted, not bytes; the limit is the channel's."""
    return f"has {len(text)} characters; the limit is {limit}" if len(text) > limit else None


def name_error(value: str) -> str | None:
    """Of a key, a category and the like."""
    if not value.strip() or CONTROL.search(value):
        return "must not be empty or contain control characters"
    return length_error(value, MAX_NAME)


def nul_error(text: str) -> str | None:
    return "must not contain NUL characters" if "\x00" in text else None
