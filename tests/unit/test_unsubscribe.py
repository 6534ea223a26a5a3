"""Unsubscribe links: who gets one, who may make one, and what the pages behind them answer."""

import base64
import json
from dataclasses import replace

import jwt
import pytest

from notistream.delivery.unsubscribe import (
    AUDIENCE,
    NO_LINKS,
    TRANSACTIONAL,
    OptOut,
    UnsubscribeLinks,
    with_link,
)
from notistream.domain.draft import Draft
from notistream.settings.model import Settings, secrets_of
from tests.core.delivery_fakes import CLAIMED, World
from tests.unit.web_fakes import serving

OLD, NEW, OTHER = "old-" * 8, "new-" * 8, "other-" * 6
LINKS = UnsubscribeLinks([NEW, OLD], "https://n.example.com/")
MAIL = replace(CLAIMED, channel="email", recipient="a@example.com", category="news")
CLAIMS = {
    "aud": AUDIENCE,
    "t": str(CLAIMED.tenant_id),
    "c": "email",
    "k": "news",
    "a": "a@example.com",
}


def token_of(claimed, links=LINKS):
    return links.url(claimed).removeprefix("https://n.example.com/unsubscribe/")


@pytest.mark.parametrize(
    "claimed",
    [
        replace(MAIL, category=None),
        *(replace(MAIL, category=name) for name in sorted(TRANSACTIONAL)),
        replace(CLAIMED, category="news"),
        replace(MAIL, channel="in_app"),
    ],
)
def test_who_gets_no_link(claimed):
    assert LINKS.url(claimed) is None
    assert LINKS.headers(claimed) == {}


def test_without_a_secret_there_are_no_links():
    assert NO_LINKS.url(MAIL) is None
    assert NO_LINKS.read(token_of(MAIL)) is None


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (MAIL, {"address": "a@example.com"}),
        (replace(MAIL, recipient_id="ann"), {"recipient_id": "ann"}),
    ],
)
def test_a_link_says_who_and_what(claimed, said):
    assert LINKS.read(token_of(claimed)) == OptOut(
        tenant_id=CLAIMED.tenant_id, channel="email", category="news", **said
    )
    url = LINKS.url(claimed)
    assert LINKS.headers(claimed) == {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_the_first_secret_signs_and_all_verify():
    before = UnsubscribeLinks([OLD], "https://n.example.com")
    assert LINKS.read(token_of(MAIL, before)) is not None
    assert before.read(token_of(MAIL)) is None


def unsigned(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def tampered():
    head, _, tail = token_of(MAIL).split(".")
    payload = (
        base64.urlsafe_b64encode(json.dumps({**CLAIMS, "a": "b@example.com"}).encode())
        .rstrip(b"=")
        .decode()
    )
    return f"{head}.{payload}.{tail}"


FORGED = [
    "x",
    "a.b.c",
    tampered(),
    unsigned(CLAIMS),
    jwt.encode(CLAIMS, OTHER, algorithm="HS256"),
    jwt.encode({**CLAIMS, "aud": "notistream:ws"}, NEW, algorithm="HS256"),
    jwt.encode({k: v for k, v in CLAIMS.items() if k != "aud"}, NEW, algorithm="HS256"),
    jwt.encode({**CLAIMS, "t": "no uuid"}, NEW, algorithm="HS256"),
    jwt.encode({"aud": AUDIENCE}, NEW, algorithm="HS256"),
    jwt.encode(CLAIMS, NEW * 2, algorithm="HS512"),
]


@pytest.mark.parametrize("token", FORGED, ids=range(len(FORGED)))
async def test_what_we_did_not_sign_leads_nowhere(token):
    assert LINKS.read(token) is None
    async with serving() as (client, fakes):
        fakes.unsubscribe = LINKS
        for method in ("GET", "POST"):
            answer = await client.request(method, f"/unsubscribe/{token}")
            assert (answer.status, answer.content_type) == (404, "text/html")


async def test_the_page_asks_and_is_safe():
    async with serving() as (client, fakes):
        fakes.unsubscribe = LINKS
        answer = await client.get(f"/unsubscribe/{token_of(replace(MAIL, category='<b>news</b>'))}")
        text = await answer.text()
        assert answer.status == 200
        assert "&lt;b&gt;news&lt;/b&gt;" in text
        assert '<html lang="en">' in text
        assert '<form method="post">' in text
        assert "script" not in text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"List-Unsubscribe=No", 422),
        (b"x" * 5000, 413),
        (b"List-Unsubscribe=One-Click", 503),
        (b"", 503),
    ],
)
async def test_bodies(body, status):
    """Behind this API is no database: what is understood is answered with 503."""
    async with serving() as (client, fakes):
        fakes.unsubscribe = LINKS
        answer = await client.post(
            f"/unsubscribe/{token_of(MAIL)}",
            data=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == status


async def test_the_message_has_the_headers_and_its_template_the_variable():
    world = World(source=("Hi", "Bye: {{ unsubscribe_url }}"))
    world.pipeline._checks.unsubscribe = LINKS
    world.pipeline._checks._renderer._limits = {"email": 10_000}.__getitem__
    claimed = replace(MAIL, template_id=CLAIMED.id, template_variables={"a": 1}, content=None)
    for wanted in (claimed, replace(claimed, category="security")):
        await world.deliver(wanted)
        message = world.sent[-1][1]
        url = LINKS.url(wanted)
        assert message.content == f"Bye: {url or ''}"
        assert message.headers == LINKS.headers(wanted)
        assert message.payload == {"a": 1}


def test_a_draft_is_checked_with_the_variable():
    assert with_link(Draft(channel="email", template="t"), "email").template_variables == {
        "unsubscribe_url": ""
    }
    own = Draft(channel="email", template="t", template_variables={"unsubscribe_url": "x"})
    assert with_link(own, "email") is own
    assert with_link(Draft(channel="sms", template="t"), "sms").template_variables == {}


def test_settings():
    settings = Settings(_env_file=None, unsubscribe_secret=f"{NEW}, {OLD}", port=9000)
    assert secrets_of(settings.unsubscribe_secret) == [NEW, OLD]
    assert settings.public_base == "http://127.0.0.1:9000"
    assert (
        Settings(_env_file=None, public_url="https://x.example").public_base == "https://x.example"
    )
    with pytest.raises(ValueError, match="at least 32 characters"):
        Settings(_env_file=None, unsubscribe_secret=f"{NEW},short")
