"""When the client sends a call again, how long it waits before, and what callers get in the end."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from notistream.errors import FieldError
from notistream.errors import InvalidRequest as InvalidContent
from notistream.web.notifications import examples
from notistream.web.server import problems
from notistream.web.server.respond import dump
from notistream_client import (
    NO_RETRIES,
    ApiError,
    AsyncClient,
    Client,
    ClientError,
    Conflict,
    InvalidRequest,
    NotFound,
    Retries,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from notistream_client.call import Call, at
from notistream_client.loading import nothing
from notistream_client.retries import next_wait_s

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
GET = Call(method="GET", path=at("x"), read=nothing)
KEYED = Call(method="POST", path=at("x"), key="k", read=nothing)
PLAIN = Call(method="POST", path=at("x"), read=nothing)
SAME = Call(method="POST", path=at("x"), changes=False, read=nothing)
CALLS = {"get": GET, "keyed": KEYED, "plain": PLAIN, "same": SAME}
ALL, SAFE, NONE = {"get", "keyed", "plain", "same"}, {"get", "keyed", "same"}, set[str]()
IN_FLIGHT = httpx.Response(409, json={"code": "request_in_flight"})
ACCEPTED = json.loads(dump(examples.ACCEPTED["accepted"]))
RECEIPT = {"state": "read", "at": "2026-01-31T09:00:00Z", "provider": "twilio", "stars": 5}


def answered(status: int, retry_after: str | None = None) -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": retry_after} if retry_after else {})


@pytest.mark.parametrize(
    ("outcome", "repeated"),
    [
        (answered(200), NONE),
        (answered(400), NONE),
        (answered(401), NONE),
        (answered(404), NONE),
        (answered(409), NONE),
        (IN_FLIGHT, {"keyed"}),
        (answered(422), NONE),
        (answered(429), ALL),
        (answered(500), NONE),
        (answered(502), SAFE),
        (answered(503), SAFE),
        (answered(504), SAFE),
        (httpx.ConnectError("x"), ALL),
        (httpx.ConnectTimeout("x"), ALL),
        (httpx.PoolTimeout("x"), ALL),
        (httpx.ReadTimeout("x"), SAFE),
        (httpx.ReadError("x"), SAFE),
        (httpx.WriteError("x"), SAFE),
        (httpx.RemoteProtocolError("x"), SAFE),
        (httpx.UnsupportedProtocol("x"), NONE),
        (httpx.DecodingError("x"), NONE),
        (httpx.TooManyRedirects("x"), NONE),
    ],
    ids=lambda value: str(getattr(value, "status_code", type(value).__name__)),
)
def test_what_is_sent_again(outcome: Any, repeated: set[str]) -> None:
    again = {
        name
        for name, call in CALLS.items()
        if next_wait_s(call, outcome, attempt=1, retries=Retries(), jitter=0.5, now=NOW) is not None
    }
    assert again == repeated


@pytest.mark.parametrize(
    ("attempt", "outcome", "jitter", "wait_s"),
    [
        (1, answered(503), 1.0, 0.5),
        (2, answered(503), 1.0, 1.0),
        (3, answered(503), 1.0, 2.0),
        (3, answered(503), 0.25, 0.5),
        (1, answered(503), 0.0, 0.0),
        (4, answered(503), 1.0, None),
        (1, answered(503, "7"), 1.0, 7.0),
        (3, answered(429, "1"), 1.0, 2.0),
        (1, answered(429, "31"), 0.0, None),
        (1, answered(429, "Sat, 31 Jan 2026 09:00:09 GMT"), 0.0, 9.0),
        (1, answered(429, "Sat, 31 Jan 2026 08:00:00 GMT"), 1.0, 0.5),
        (1, answered(429, "soon"), 1.0, 0.5),
        (1, answered(429, "-1"), 1.0, 0.5),
    ],
    ids=str,
)
def test_how_long_is_waited(
    attempt: int, outcome: httpx.Response, jitter: float, wait_s: float | None
) -> None:
    assert (
        next_wait_s(GET, outcome, attempt=attempt, retries=Retries(), jitter=jitter, now=NOW)
        == wait_s
    )


class Script:
    """A service that answers one thing after the other.

    An exception is raised in place of an answer.
    """

    def __init__(self, *outcomes: httpx.Response | Exception) -> None:
        self.left = list(outcomes)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """What the clients would have waited."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(asyncio, "sleep", wait)
    return waited


async def both(script: Script, other: Script, **options: Any) -> list[Any]:
    """A create by each client; what came of it, a ClientError too."""
    fields: dict[str, Any] = {"channel": "sms", "recipient": "+905000000000", "content": "hi"}
    ends: list[Any] = []
    with Client("http://test", transport=httpx.MockTransport(script), **options) as client:
        try:
            ends.append(client.notifications.create(**fields))
        except ClientError as exc:
            ends.append(exc)
    async with AsyncClient(
        "http://test", transport=httpx.MockTransport(other), **options
    ) as awaited:
        try:
            ends.append(await awaited.notifications.create(**fields))
        except ClientError as exc:
            ends.append(exc)
    return ends


async def test_both_clients_repeat_the_same_bytes_and_the_same_key(waits: list[float]) -> None:
    scripts = [
        Script(
            httpx.ReadError("reset"),
            answered(503, "3"),
            answered(429, "2"),
            httpx.Response(202, json=ACCEPTED),
        )
        for _ in range(2)
    ]
    for script, end in zip(scripts, await both(*scripts), strict=True):
        assert end.status == "pending"
        assert len(script.requests) == 4
        assert len({request.content for request in script.requests}) == 1
        (key,) = {request.headers["Idempotency-Key"] for request in script.requests}
        assert len(key) == 32
    first, second = (
        {request.headers["Idempotency-Key"] for request in script.requests} for script in scripts
    )
    assert first != second, "a key is one call's"
    assert [wait >= least for wait, least in zip(waits, (0, 3, 2, 0, 3, 2), strict=True)] == [
        True
    ] * 6


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (answered(418), ApiError),
        (httpx.Response(422, json={"code": "invalid_content", "status": 422}), InvalidRequest),
        (answered(401), Unauthorized),
        (answered(404), NotFound),
        (answered(409), Conflict),
        (answered(429), TooManyRequests),
        (answered(503), Unavailable),
        (answered(500), Unavailable),
        (httpx.ConnectError("refused"), Unreachable),
        (httpx.Response(200, text="<html>"), UnexpectedAnswer),
        (httpx.Response(202, json={"id": "x"}), UnexpectedAnswer),
        (httpx.Response(202, json=[]), UnexpectedAnswer),
        (httpx.Response(202, json={**ACCEPTED, "created_at": "yesterday"}), UnexpectedAnswer),
    ],
    ids=lambda value: str(
        getattr(value, "status_code", getattr(value, "__name__", type(value).__name__))
    ),
)
async def test_each_failure_is_an_error_of_its_kind(outcome: Any, kind: type[Exception]) -> None:
    for end in await both(Script(outcome), Script(outcome), retries=NO_RETRIES):
        assert type(end) is kind, end


async def test_an_error_says_what_the_service_said(waits: list[float]) -> None:
    problem = problems.problem(
        InvalidContent([FieldError("/recipient", "must be a phone number")]), trace_id="t"
    )
    answer = httpx.Response(422, json=json.loads(dump(problem)))
    for end in await both(Script(answer), Script(answer)):
        assert (end.status, end.code, end.pointer) == (422, "invalid_content", "/recipient")
        assert (end.errors[0].message, end.problem.trace_id, end.attempts) == (
            "must be a phone number",
            "t",
            1,
        )
    limited = [Script(*[answered(429, "2")] * 4) for _ in range(2)]
    for end in await both(*limited):
        assert (end.attempts, end.retry_after_s, end.code) == (4, 2.0, "unexpected_answer")
    assert len(waits) == 6


def test_new_fields_are_let_be_and_old_services_lack_some() -> None:
    newer = httpx.Response(202, json={**ACCEPTED, "mood": "good", "receipt": RECEIPT})
    older = httpx.Response(
        202, json={name: value for name, value in ACCEPTED.items() if name != "locale"}
    )
    with Client(
        "http://test", transport=httpx.MockTransport(Script(newer, older)), retries=NO_RETRIES
    ) as client:
        receipt = client.notifications.create(channel="sms").receipt
        assert receipt is not None
        assert (receipt.state, receipt.at, receipt.detail) == ("read", NOW, None)
        assert client.notifications.create(channel="sms").locale is None
