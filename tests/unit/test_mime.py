"""E-mail as bytes: whatever a sender puts into it, a receiver reads the same, and no field of its
own appears.
"""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notistream.providers.api import PermanentError
from notistream.providers.mime import compose
from tests.providers.smtp import EMAIL

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
OURS = {
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
}


def mail_of(sender="NotiStream <no-reply@example.com>", **fields):
    message = replace(EMAIL, **{"html": None, "headers": {}, "idempotency_key": "k", **fields})
    return compose(message, sender=sender, now=NOW)


def read(mail):
    return message_from_bytes(mail.content, policy=policy.SMTP)


def test_text_and_html_are_alternatives_and_fields_are_kept_whole():
    long = f"<https://example.com/unsubscribe/{'t' * 600}>"
    mail = mail_of(
        html="<p>Grüße</p>",
        content="Grüße",
        subject="Grüße an Ada",
        headers={"List-Unsubscribe": long, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )
    found = read(mail)
    assert [part.get_content_type() for part in found.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert [part.get_content().strip() for part in found.iter_parts()] == ["Grüße", "<p>Grüße</p>"]
    assert (found["Subject"], found["To"], found["From"]) == (
        "Grüße an Ada",
        "ada@example.com",
        "NotiStream <no-reply@example.com>",
    )
    assert (
        f"List-Unsubscribe: {long}\r\n".encode() in mail.content
    )  # unfolded, not encoded: mail programs read it so
    assert (found["Date"].datetime, found["Message-ID"]) == (NOW, "<k@example.com>")


def test_the_message_id_follows_from_the_key():
    assert [mail_of(idempotency_key=key).message_id for key in ("a-b", "a-b", "a-b:2")] == [
        "<a-b@example.com>",
        "<a-b@example.com>",
        "<a-b.2@example.com>",
    ]
    odd = [
        mail_of(idempotency_key=key).message_id for key in ("<x>\r\nBcc: y", "<x>\r\nBcc: y", "z z")
    ]
    assert odd[0] == odd[1] != odd[2]
    assert mail_of().content == mail_of().content


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300), st.text(max_size=2500))
def test_whatever_the_text_no_field_and_no_part_is_added(subject, content):
    mail = mail_of(subject=subject, content=content)
    found = read(mail)
    assert {name.lower() for name in found} == OURS
    assert len(found.defects) == 0
    assert mail.content.isascii()
    assert all(len(line) <= 998 and b"\r" not in line for line in mail.content.split(b"\r\n"))
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    wanted = content.encode("utf-8", "replace").decode()
    assert (
        found.get_content().splitlines()
        == (f"{wanted}\n" if not wanted.endswith("\n") else wanted).splitlines()
    )


@pytest.mark.parametrize(
    "subject",
    [
        "a\r\nBcc: x@example.com",
        "a\nBcc: x@example.com",
        "a\rBcc: x@example.com",
        "a\u2028Bcc: x@example.com",
        "=?utf-8?q?a=0D=0ABcc:_x=40example.com?=",
        "a\x00b",
        "x" * 2000,
        "é" * 2000,
    ],
)
def test_a_subject_cannot_make_a_field(subject):
    found = read(mail_of(subject=subject))
    assert "Bcc" not in found
    assert {name.lower() for name in found} == OURS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nBcc: x@example.com"),
        ("X-A", "b\nBcc: c"),
        ("X-A\r\nBcc", "x"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("X-Ä", "b"),
        ("Bcc", "x@example.com"),
        ("bcc", "x"),
        ("From", "x"),
        ("Content-Type", "text/html"),
        ("MIME-Version", "2"),
        ("Message-ID", "<x@y>"),
        ("X-A", "b\x00"),
        ("X-A", "b" * 1000),
        ("X-A", "=?utf-8?q?b=0D=0ABcc:_x=40example.com?="),
    ],
)
def test_fields_that_are_not_the_senders_to_set_are_refused(name, value):
    with pytest.raises(PermanentError, match="header field"):
        mail_of(headers={name: value})


@pytest.mark.parametrize(
    "recipient",
    [
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "A <a@example.com>",
        "a",
        "a@",
        "",
        "a b@c.de",
        "a@exa mple.com",
        "a@example.com>\r\nDATA",
    ],
)
def test_an_address_is_one_address(recipient):
    with pytest.raises(PermanentError, match="not an e-mail address"):
        mail_of(recipient=recipient)


@pytest.mark.parametrize(
    ("recipient", "sent_to", "utf8"),
    [
        ("Ada@Example.com", "Ada@example.com", False),
        ("ada@müller.example", "ada@xn--mller-kva.example", False),
        ("jörg@müller.example", "jörg@xn--mller-kva.example", True),
        ("ada+tag@example.com", "ada+tag@example.com", False),
    ],
)
def test_only_a_local_part_that_is_not_ascii_needs_smtputf8(recipient, sent_to, utf8):
    mail = mail_of(recipient=recipient)
    assert (mail.recipient, mail.utf8) == (sent_to, utf8)
    assert f"\r\nTo: {sent_to}\r\n".encode() in mail.content


def test_a_senders_name_is_encoded():
    found = read(mail_of(sender='"Nöti, Stream" <no-reply@example.com>'))
    assert found["From"].addresses[0].display_name == "Nöti, Stream"
