"""The FCM provider, Google's token service and FCM."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from notistream.domain.outcome import Permanent, Temporary
from notistream.providers.api import Context
from notistream.providers.contract import Subject
from notistream.providers.faulty import Fault, FaultyServer, Taken, faulty, refused
from notistream.providers.fcm import FcmProvider, FcmSettings
from tests.providers.case import SMS, Case

PUSH = replace(
    SMS,
    channel="push",
    recipient="registration-token:APA91b",
    subject="Sign in",
    payload={"screen": "login", "tries": 3, "from": "reserved", "google.x": "reserved"},
)
PROJECT, EMAIL = "demo-project", "sender@demo-project.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
STATUSES: Mapping[str, str] = {
    "UNREGISTERED": "NOT_FOUND",
    "SENDER_ID_MISMATCH": "PERMISSION_DENIED",
    "QUOTA_EXCEEDED": "RESOURCE_EXHAUSTED",
    "THIRD_PARTY_AUTH_ERROR": "UNAUTHENTICATED",
}
"""Google's status beside FCM's own code, where they differ."""


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem() -> str:
    return (
        private_key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@dataclass
class Google:
    """Issues tokens for verified assertions, and takes messages with tokens that it issued."""

    lifetime_s: int = 3600
    permitted: bool = True
    token_fault: Fault | None = None
    issued: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    messages: list[Mapping[str, Any]] = field(default_factory=list)

    async def token(self, request: web.Request, body: bytes) -> Taken:
        return Taken("", self._token(request, body), accepted=False)

    async def serve(self, request: web.Request, body: bytes) -> Taken:
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        if bearer not in self.issued or bearer in self.revoked:
            return Taken("", google_error(401, "UNAUTHENTICATED"), accepted=False)
        if not self.permitted or request.path != f"/v1/projects/{PROJECT}/messages:send":
            return Taken("", google_error(403, "PERMISSION_DENIED"), accepted=False)
        sent = orjson.loads(body)
        name = web.json_response({"name": f"projects/{PROJECT}/messages/0:{uuid4().hex}"})
        if sent.get("validate_only"):
            return Taken("", name, accepted=False)
        message = sent["message"]
        assert message["token"] == PUSH.recipient
        assert all(isinstance(value, str) for value in message["data"].values())
        self.messages.append(message)
        return Taken(message["android"]["notification"]["tag"], name)

    def _token(self, request: web.Request, body: bytes) -> web.Response:
        """Verify the assertion as Google does: with the public key of the service account."""
        if self.token_fault:
            return web.json_response(
                {"error": self.token_fault.code}, status=self.token_fault.status
            )
        assert request.content_type == "application/x-www-form-urlencoded"
        form = parse_qs(body.decode(), strict_parsing=True)
        assert form["grant_type"] == [GRANT]
        claims = jwt.decode(
            form["assertion"][0],
            private_key().public_key(),
            algorithms=["RS256"],
            audience=AUDIENCE,
            issuer=EMAIL,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
        assert claims["scope"] == SCOPE
        assert claims["exp"] - claims["iat"] <= 3600
        assert abs(claims["iat"] - time.time()) < 60
        self.issued.append(f"planted-access-token-{uuid4().hex}")
        return web.json_response(
            {"access_token": self.issued[-1], "expires_in": self.lifetime_s, "token_type": "Bearer"}
        )


def google_error(
    status: int, code: str, *, headers: Mapping[str, str] | None = None, token: bool = False
) -> web.Response:
    details: list[Mapping[str, Any]] = [{"@type": FCM_ERROR, "errorCode": code}]
    if token:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [
                    {"field": "message.token", "description": "Invalid registration token"}
                ],
            }
        )
    plain = code in ("UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND")
    return web.json_response(
        {
            "error": {
                "code": status,
                "message": f"about {PUSH.recipient}",
                "status": STATUSES.get(code, code),
                **({} if plain else {"details": details}),
            }
        },
        status=status,
        headers=headers,
    )


def refuse(fault: Fault) -> web.Response:
    if not fault.code:
        return web.Response(status=fault.status, headers=fault.headers, text="<!DOCTYPE html>")
    code, _, about = fault.code.partition("/")
    return google_error(fault.status, code, headers=fault.headers, token=about == "token")


def key_file(**changes: Any) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": pem(),
            "client_email": EMAIL,
            "token_uri": "https://oauth2.googleapis.com/token",
            **changes,
        }
    )


def provider(vendor: FaultyServer, tokens: FaultyServer, **settings: Any) -> FcmProvider:
    wanted = {
        "credentials": key_file(),
        "api_url": vendor.url,
        "token_url": f"{tokens.url}/token",
        **settings,
    }
    return FcmProvider(FcmSettings(**wanted), Context(timeout_s=30))


REFUSALS = [
    (
        refused(404, "UNREGISTERED"),
        Permanent("FCM UNREGISTERED: App instance was unregistered from FCM", dead_address=True),
    ),
    (
        refused(400, "INVALID_ARGUMENT/token"),
        Permanent(
            "FCM INVALID_ARGUMENT: The registration token is not a valid FCM registration token",
            dead_address=True,
        ),
    ),
    (
        refused(400, "INVALID_ARGUMENT"),
        Permanent("FCM INVALID_ARGUMENT: Request parameters were invalid"),
    ),
    (
        refused(403, "SENDER_ID_MISMATCH"),
        Permanent(
            "FCM SENDER_ID_MISMATCH: The authenticated sender ID is different from the sender ID"
            " for the registration token"
        ),
    ),
    (refused(404, "NOT_FOUND"), Permanent("FCM NOT_FOUND: Requested entity was not found")),
    (
        refused(429, "QUOTA_EXCEEDED", retry_after="9"),
        Temporary(
            "FCM QUOTA_EXCEEDED: Sending limit exceeded for the message target", 9.0, throttled=True
        ),
    ),
    (
        refused(503, "UNAVAILABLE", retry_after="7"),
        Temporary("FCM UNAVAILABLE: The server is overloaded", 7.0),
    ),
    (refused(500, "INTERNAL"), Temporary("FCM INTERNAL: An unknown internal error occurred")),
    (refused(502), Temporary("FCM HTTP 502: bad gateway")),
    (
        refused(401, "THIRD_PARTY_AUTH_ERROR"),
        Temporary(
            "FCM THIRD_PARTY_AUTH_ERROR: APNs certificate or web push auth key was invalid or"
            " missing in the Firebase project"
        ),
    ),
    (
        refused(401, "UNAUTHENTICATED"),
        Temporary(
            "FCM UNAUTHENTICATED: Request had invalid authentication credentials;"
            " NOTISTREAM_FCM_CREDENTIALS is refused"
        ),
    ),
    (
        refused(403, "PERMISSION_DENIED"),
        Temporary(
            "FCM PERMISSION_DENIED: Permission cloudmessaging.messages.create denied on the"
            " project; NOTISTREAM_FCM_CREDENTIALS is refused"
        ),
    ),
]


@asynccontextmanager
async def fcm(google: Google | None = None, **settings: Any) -> AsyncIterator[Subject]:
    google = google or Google()

    def expire() -> None:
        google.revoked.update(google.issued)

    async with faulty(google.token) as tokens, faulty(google.serve, refuse) as vendor:
        built = provider(vendor, tokens, **settings)
        yield Subject(
            provider=built,
            vendor=vendor,
            message=PUSH,
            refusals=REFUSALS,
            expire=expire,
            renew=lambda: None,
            throttling=lambda after: refused(429, "QUOTA_EXCEEDED", retry_after=after),
            secrets=["planted-access-token", *pem().splitlines()[1:-1]],
        )
        await built.aclose()


CASE = Case(fcm)
