"""E-mail as bytes: text and HTML parts, safe header fields, a Message-ID made from the key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from notistream.delivery.ports import Message
from notistream.providers.api import PermanentError

LONGEST_LINE = 998
LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
ENCODED_WORD = re.compile(r"=(?=\?[^?\s]*\?[bq]\?)", re.IGNORECASE)
"""The library would decode this again, with its line breaks."""
FIELD_NAME = re.compile(r"[!-9;-~]{1,77}")
FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
PLAIN_KEY = re.compile(r"[A-Za-z0-9:_-]{1,100}")
OURS = frozenset(
    {
        "from",
        "to",
        "cc",
        "bcc",
        "sender",
        "reply-to",
        "return-path",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "received",
        "dkim-signature",
    }
)


class _Unfolded(EmailPolicy):
    """Folds the subject only: no client can read a List-Unsubscribe of encoded words."""

    def fold(self, name: str, value: Any) -> str:
        return str(self._of(name).fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        return bytes(self._of(name).fold_binary(name, value))

    def _of(self, name: str) -> "EmailPolicy[Any]":
        length = 78 if name == "Subject" else LONGEST_LINE
        return SMTP.clone(max_line_length=length, cte_type="7bit", utf8=self.utf8)


POLICY = _Unfolded(linesep="\r\n", cte_type="7bit")
UTF8_POLICY = POLICY.clone(utf8=True)


@dataclass(frozen=True, slots=True)
class Mail:
    """A composed e-mail and its envelope; `utf8`: the server must support SMTPUTF8."""

    sender: str
    recipient: str
    message_id: str
    content: bytes
    utf8: bool


def compose(message: Message, *, sender: str, now: datetime) -> Mail:
    """The same message and moment make the same bytes, but for the boundary between two parts.

    Raises:
        PermanentError: an address or a header field that no e-mail can have.
    """
    recipient, utf8 = _recipient(message.recipient)
    name, from_address = parseaddr(sender)
    mail = EmailMessage(policy=UTF8_POLICY if utf8 else POLICY)
    mail["From"] = Address(name, addr_spec=from_address)
    local_part, _, domain = recipient.rpartition("@")
    mail["To"] = Address(username=local_part, domain=domain)
    mail["Subject"] = ENCODED_WORD.sub("= ", LINE_BREAKS.sub(" ", message.subject or "").strip())
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = id_ = message_id(
        message.idempotency_key, domain=from_address.rpartition("@")[2]
    )
    for field, value in _checked(message.headers).items():
        mail[field] = value
    mail.set_content(message.content, cte=_encoding(message.content))
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
    return Mail(from_address, recipient, id_, mail.as_bytes(), utf8)


def message_id(key: str, *, domain: str) -> str:
    """A Message-ID made from the idempotency key, so that receivers recognise a repetition."""
    word = key.replace(":", ".") if PLAIN_KEY.fullmatch(key) else str(uuid5(NAMESPACE_URL, key))
    return f"<{word}@{domain}>"


def _recipient(address: str) -> tuple[str, bool]:
    """The address with its domain in ASCII, and whether its first half is not."""
    try:
        valid = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise PermanentError("the recipient is not an e-mail address") from None
    if valid.ascii_email is not None:
        return valid.ascii_email, False
    return f"{valid.local_part}@{valid.ascii_domain}", True


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not FIELD_NAME.fullmatch(name) or not _is_plain(value):
            raise PermanentError("a header field has a name or value that no e-mail can have")
        if name.lower() in OURS or name.lower().startswith("content-"):
            raise PermanentError(f"the header field {name} cannot be set")
    return headers


def _is_plain(value: str) -> bool:
    return (
        bool(FIELD_VALUE.fullmatch(value))
        and len(value) < LONGEST_LINE - 100
        and not ENCODED_WORD.search(value)
    )


def _encoding(text: str) -> str:
    """7bit if every server passes it unchanged, base64 if most letters are not ASCII."""
    if text.isascii() and all(len(line) < LONGEST_LINE for line in text.splitlines()):
        return "7bit"
    return "quoted-printable" if sum(map(str.isascii, text)) * 2 > len(text) else "base64"


def _mailbox(value: str) -> str:
    name, address = parseaddr(value)
    good = "write it like NotiStream <no-reply@example.com>"
    if LINE_BREAKS.search(value) or not address:
        raise ValueError(good)
    try:
        ascii_email = validate_email(
            address, check_deliverability=False, globally_deliverable=False
        ).ascii_email
    except EmailNotValidError as exc:
        raise ValueError(f"{good}: {exc}") from None
    if ascii_email is None:
        raise ValueError("what stands before the @ must be ASCII")
    return f"{name} <{ascii_email}>" if name else ascii_email


Mailbox = Annotated[str, AfterValidator(_mailbox)]
"""A sender: an address, with a name or without."""
