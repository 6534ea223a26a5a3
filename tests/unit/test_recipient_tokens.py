"""Tokens for browsers: what is let in, and everything else that is not."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import jwt
import pytest

from notistream.errors import NotConfigured, Unauthorized
from notistream.realtime.recipient_tokens import RecipientTokens, key_id
from notistream.settings.model import Settings, secrets_of
from tests.unit.web_fakes import problem_of, serving

OLD, NEW, FOREIGN = "o" * 32, "n" * 32, "f" * 32
TENANT, OTHER = UUID(int=1), UUID(int=2)
INBOX = "/api/v1/inbox"


def claims(**fields: Any) -> dict[str, Any]:
    now = int(time.time())
    full = {
        "iss": "notistream",
        "aud": "notistream-ws",
        "sub": "u-1",
        "tenant": str(TENANT),
        "iat": now,
        "exp": now + 60,
        **fields,
    }
    return {name: value for name, value in full.items() if value is not None}


def signed(secret: str = NEW, *, kid: Any = None, algorithm: str = "HS256", **fields: Any) -> str:
    return jwt.encode(
        claims(**fields), secret, algorithm=algorithm, headers={"kid": kid or key_id(NEW)}
    )


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def tampered(token: str, **fields: Any) -> str:
    """The same signature over other claims."""
    head, _, signature = token.split(".")
    return f"{head}.{part(claims(**fields))}.{signature}"


def with_header(header: Any, signature: str | None = None) -> str:
    return f"{part(header)}.{signed().split('.')[1]}.{signed().split('.')[2] if signature is None else signature}"


REFUSED: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "not a token": lambda: "abc",
    "three empty parts": lambda: "..",
    "alg none": lambda: with_header({"alg": "none", "kid": key_id(NEW)}, ""),
    "alg None with the signature": lambda: with_header({"alg": "None", "kid": key_id(NEW)}),
    "alg swapped for HS512": lambda: signed("n" * 64, algorithm="HS512"),
    "alg swapped, same secret": lambda: signed(algorithm="HS384"),
    "alg RS256": lambda: with_header({"alg": "RS256", "kid": key_id(NEW)}),
    "alg missing": lambda: with_header({"kid": key_id(NEW)}),
    "alg not text": lambda: with_header({"alg": ["HS256"], "kid": key_id(NEW)}),
    "wrong audience": lambda: signed(aud="other"),
    "one of several audiences": lambda: signed(aud=["notistream-ws", "other"]),
    "wrong issuer": lambda: signed(iss="other"),
    "expired": lambda: signed(exp=int(time.time()) - 60),
    "from the future": lambda: signed(iat=int(time.time()) + 600),
    "not valid yet": lambda: signed(nbf=int(time.time()) + 600),
    "expiry not a number": lambda: signed(exp="soon"),
    "expiry not finite": lambda: signed(exp=1e400),
    "another secret": lambda: signed(FOREIGN),
    "another secret under its own kid": lambda: signed(FOREIGN, kid=key_id(FOREIGN)),
    "empty secret": lambda: with_header({"alg": "HS256", "kid": ""}),
    "kid a path": lambda: signed(FOREIGN, kid="../../../../dev/null"),
    "kid SQL": lambda: signed(kid="' UNION SELECT 'x"),
    "kid a number": lambda: with_header({"alg": "HS256", "kid": 7}),
    "kid a list": lambda: with_header({"alg": "HS256", "kid": []}),
    "kid missing": lambda: jwt.encode(claims(), NEW, algorithm="HS256"),
    "key in the header": lambda: with_header({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}),
    "other recipient, same signature": lambda: tampered(signed(), sub="u-2"),
    "other tenant, same signature": lambda: tampered(signed(), tenant=str(OTHER)),
    "signature cut": lambda: signed()[:-2],
    "signature of another token": lambda: (
        signed().rsplit(".", 1)[0] + "." + signed(sub="u-2").rsplit(".", 1)[1]
    ),
    "recipient not text": lambda: signed_raw(sub=7),
    "recipient empty": lambda: signed(sub=""),
    "recipient with a line break": lambda: signed(sub="a\r\nb"),
    "recipient too long": lambda: signed(sub="u" * 256),
    "tenant not a UUID": lambda: signed(tenant="default"),
    "tenant not text": lambda: signed(tenant=1),
    "claims not an object": lambda: jwt.api_jws.encode(
        b"[]", NEW, algorithm="HS256", headers={"kid": key_id(NEW)}
    ),
    **{
        f"without {name}": lambda name=name: signed(**{name: None})  # type: ignore[misc]
        for name in ("iss", "aud", "sub", "tenant", "iat", "exp")
    },
}


def signed_raw(**fields: Any) -> str:
    """PyJWT refuses to make some tokens that others may make."""
    return jwt.api_jws.encode(
        json.dumps(claims(**fields)).encode(), NEW, algorithm="HS256", headers={"kid": key_id(NEW)}
    )


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", REFUSED)
async def test_is_refused(name: str) -> None:
    made = REFUSED[name]()
    with pytest.raises(Unauthorized) as refused:
        RecipientTokens([NEW, OLD]).verify(made)
    assert NEW not in str(refused.value)
    async with serving() as (client, fakes):
        assert fakes.realtime is not None
        fakes.realtime.tokens = RecipientTokens([NEW, OLD])
        for path in (INBOX, "/ws"):
            await problem_of(
                await client.get(path, headers={"Authorization": f"Bearer {made}"}), 401
            )


def test_lets_its_recipient_in_and_names_its_tenant() -> None:
    reader = RecipientTokens([NEW]).verify(RecipientTokens([NEW]).issue(TENANT, "u-1", ttl_s=60))
    assert (reader.tenant_id, reader.recipient_id) == (TENANT, "u-1")
    assert 0 < reader.expires_at - time.time() <= 60


def test_a_secret_is_replaced_while_its_tokens_live() -> None:
    before = RecipientTokens([OLD]).issue(TENANT, "u-1", ttl_s=60)
    during = RecipientTokens([NEW, OLD])
    assert during.verify(before).recipient_id == "u-1"
    after = during.issue(TENANT, "u-1", ttl_s=60)
    assert RecipientTokens([NEW]).verify(after).recipient_id == "u-1"
    with pytest.raises(Unauthorized):
        RecipientTokens([NEW]).verify(before)
    with pytest.raises(Unauthorized):
        RecipientTokens([OLD]).verify(after)


def test_without_a_secret_nothing_is_issued_or_let_in() -> None:
    with pytest.raises(NotConfigured, match="NOTISTREAM_JWT_SECRET"):
        RecipientTokens([]).issue(TENANT, "u-1", ttl_s=60)
    with pytest.raises(Unauthorized):
        RecipientTokens([]).verify(signed())


async def test_the_problem_names_the_setting() -> None:
    async with serving() as (client, fakes):
        assert fakes.realtime is not None
        fakes.realtime.tokens = RecipientTokens([])
        problem = await problem_of(
            await client.post("/api/v1/ws-token", json={"recipient_id": "u"}), 503
        )
        assert problem["code"] == "not_configured"
        assert "NOTISTREAM_JWT_SECRET" in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"recipient_id": ""},
        {"recipient_id": "a\nb"},
        {"recipient_id": "u", "ttl": 0},
        {"recipient_id": "u", "ttl": 86_401},
        {"recipient_id": "u", "ttl": "60"},
        {"recipient_id": "u", "admin": True},
        {"recipient_id": 7},
        {"recipient_id": "u" * 256},
        [],
    ],
)
async def test_bad_requests_for_a_token(body: Any) -> None:
    async with serving() as (client, _):
        await problem_of(await client.post("/api/v1/ws-token", json=body), 422)


def test_secrets_of_the_setting() -> None:
    assert secrets_of(Settings(jwt_secret=f"{NEW}, {OLD}").jwt_secret) == [NEW, OLD]
    assert secrets_of(Settings().jwt_secret) == []
    with pytest.raises(ValueError, match="32"):
        Settings(jwt_secret=f"{NEW},short")
