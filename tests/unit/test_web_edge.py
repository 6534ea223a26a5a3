"""What the edge does for every request: keys, correlation, errors as problems, limits of bodies,
figures.
"""

import asyncio
import gzip
import io
import logging
import zlib
from typing import Any

import orjson
import pytest
from aiohttp import web

from notistream.errors import DatabaseUnavailable, NotCancellable
from notistream.observability import metrics
from notistream.sending.acceptance import DuplicateKey
from notistream.web.notifications import examples
from notistream.web.server import body
from notistream.web.server.context import LARGE_BODIES
from tests.unit.web_fakes import Client, problem_of, serving

CREATE, BATCH = "/api/v1/notifications", "/api/v1/notifications/batch"
ONE = f"{CREATE}/{examples.ID}"
GOOD: dict[str, Any] = {"channel": "push", "recipient": "t", "content": "hi"}
JSON = {"Content-Type": "application/json"}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/notifications/7", 404),
        ("GET", "/api/v1/notifications/%ff", 404),
        ("GET", f"{ONE}/nothing", 404),
        ("PUT", CREATE, 405),
        ("PROPFIND", CREATE, 405),
        ("POST", "/health", 405),
        ("OPTIONS", CREATE, 405),
        ("GET", "/docs/assets/..%2f..%2fbody.py", 404),
        ("GET", "/docs/assets/unknown.js", 404),
    ],
)
async def test_no_such_thing(method: str, path: str, status: int) -> None:
    async with serving() as (client, _):
        response = await client.request(method, path)
        await problem_of(response, status)
        assert ("Allow" in response.headers) == (status == 405)


async def framework_page(_request: web.Request) -> web.Response:
    return web.Response(text="secret")


async def test_pages_of_the_framework_are_not_served() -> None:
    async with serving() as (client, _):
        app = client.app
        assert app is not None
        app.router._frozen = False
        app.router.add_get("/stats", framework_page)
        await problem_of(await client.get("/stats"), 404)


async def test_keys() -> None:
    async with serving() as (client, fakes):
        fakes.authentication.required = True
        for headers in ({}, {"X-API-Key": "bad"}, {"X-API-Key": "\xff"}):
            response = await client.get(ONE, headers=headers)
            await problem_of(response, 401)
            assert "WWW-Authenticate" in response.headers
        assert (await client.get(ONE, headers={"X-API-Key": "good"})).status == 200
        for path in (
            "/health",
            "/livez",
            "/health/ready",
            "/readyz",
            "/metrics",
            "/openapi.json",
            "/docs",
        ):
            assert (await client.get(path)).status == 200, path


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("checkout-7", True),
        ("a b", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("é", False),
        (None, False),
    ],
)
async def test_correlation_id(sent: str | None, kept: bool) -> None:
    async with serving() as (client, fakes):
        headers = {} if sent is None else {"X-Correlation-ID": sent}
        response = await client.post(CREATE, json=GOOD, headers=headers)
        shown = response.headers["X-Correlation-ID"]
        assert (shown == sent) == kept
        assert len(shown) >= 1
        assert fakes.notifications.senders[0].correlation_id == shown


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACEPARENT, True),
        (TRACEPARENT.upper(), False),
        ("00-" + "0" * 32 + TRACEPARENT[35:], False),
        ("ff" + TRACEPARENT[2:], False),
        (TRACEPARENT + "-x", False),
        ("", False),
    ],
)
async def test_traceparent(sent: str, kept: bool) -> None:
    async with serving() as (client, fakes):
        await client.post(CREATE, json=GOOD, headers={"traceparent": sent})
        assert fakes.notifications.senders[0].traceparent == (sent if kept else None)
        problem = await problem_of(
            await client.post(CREATE, json={}, headers={"traceparent": sent}), 422
        )
        assert (problem["trace_id"] == sent[3:35]) == kept


async def test_unexpected_error_is_one_log_line_and_no_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as (client, fakes):
        fakes.notifications.fails = RuntimeError("secret of the database")
        with caplog.at_level(logging.ERROR):
            response = await client.post(CREATE, json=GOOD)
        problem = await problem_of(response, 500)
        assert "secret" not in str(problem)
        assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
            "request failed"
        ]
        fakes.notifications.fails = None
        assert (await client.post(CREATE, json=GOOD)).status == 202


async def test_unavailable() -> None:
    async with serving() as (client, fakes):
        fakes.notifications.fails = DatabaseUnavailable()
        response = await client.post(CREATE, json=GOOD)
        assert (await problem_of(response, 503))["code"] == "database_unavailable"
        assert response.headers["Retry-After"] == "1"


async def test_duplicate_key_shows_who_has_it() -> None:
    async with serving() as (client, fakes):
        fakes.notifications.fails = DuplicateKey(examples.PENDING)
        response = await client.post(CREATE, json=GOOD)
        problem = await problem_of(response, 409)
        assert problem["code"] == "duplicate_idempotency_key"
        assert problem["id"] == problem["notification"]["id"] == str(examples.ID)
        assert response.headers["Location"] == ONE


async def test_not_cancellable() -> None:
    async with serving() as (client, fakes):
        fakes.notifications.fails = NotCancellable("it is delivered")
        await problem_of(await client.delete(ONE), 409)
        await problem_of(await client.patch(f"{ONE}/cancel"), 409)


async def chunks(count: int, size: int = 64 * 1024, pause: float = 0.0) -> Any:
    for _ in range(count):
        yield b" " * size
        await asyncio.sleep(pause)


@pytest.mark.parametrize("path", [CREATE, "/api/v1/templates"])
async def test_small_bodies_end_at_one_mebibyte(path: str) -> None:
    async with serving() as (client, _):
        response = await client.post(path, data=io.BytesIO(b" " * (body.SMALL + 1)), headers=JSON)
        await problem_of(response, 413)
        assert response.headers["Connection"] == "close"
        await problem_of(await client.post(path, data=chunks(17), headers=JSON), 413)
        await problem_of(await client.post(path, data=chunks(16), headers=JSON), 400)


async def test_declared_size_is_refused_before_anything_is_read() -> None:
    async with serving() as (client, _):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(
            f"POST {BATCH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {body.LARGE + 1}\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        assert b" 413 " in head
        writer.close()


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_encoded_bodies_are_refused(encoding: str, pack: Any) -> None:
    async with serving() as (client, _):
        data = pack(orjson.dumps(GOOD))
        await problem_of(
            await client.post(CREATE, data=data, headers={**JSON, "Content-Encoding": encoding}),
            415,
        )


async def test_slow_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "TIMEOUT_S", 0.1)
    async with serving() as (client, _):
        response = await client.post(CREATE, data=chunks(3, size=1, pause=0.2), headers=JSON)
        assert (await problem_of(response, 408))["code"] == "body_too_slow"


async def large_batch(client: Client, hold: asyncio.Event) -> int:
    async def data() -> Any:
        yield b" " * (body.SMALL + 1)
        await hold.wait()
        yield orjson.dumps({"notifications": [GOOD]})

    response = await client.post(BATCH, data=data(), headers=JSON)
    return response.status


async def test_few_large_bodies_at_once() -> None:
    async with serving() as (client, _):
        hold = asyncio.Event()
        held = [asyncio.create_task(large_batch(client, hold)) for _ in range(body.LARGE_AT_ONCE)]
        assert client.app is not None
        while client.app[LARGE_BODIES]._free:
            await asyncio.sleep(0.01)
        response = await client.post(BATCH, data=io.BytesIO(b" " * (body.SMALL + 1)), headers=JSON)
        problem = await problem_of(response, 503)
        assert problem["code"] == "overloaded"
        assert "Retry-After" in response.headers
        assert (await client.post(BATCH, json={"notifications": [GOOD]})).status == 202, (
            "small ones go on"
        )
        hold.set()
        assert await asyncio.gather(*held) == [202] * body.LARGE_AT_ONCE
        large = io.BytesIO(b" " * body.SMALL + orjson.dumps({"notifications": [GOOD]}))
        again = await client.post(BATCH, data=large, headers=JSON)
        assert again.status == 202


async def test_cut_off_body_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (client, fakes):
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(
            f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Content-Length: 50\r\n\r\n{".encode()
        )
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.05)
        assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
        assert not fakes.notifications.drafts


async def test_figures_have_bounded_labels() -> None:
    def count(method: str, route: str, status: str) -> float:
        labels = {"method": method, "route": route, "status": status}
        return metrics.REGISTRY.get_sample_value("notistream_http_requests_total", labels) or 0.0

    async with serving() as (client, _):
        before = count("GET", f"{CREATE}/{{id}}", "200"), count("other", "unmatched", "404")
        await client.get(ONE)
        await client.request("PROPFIND", "/a/b/c")
        assert count("GET", f"{CREATE}/{{id}}", "200") == before[0] + 1
        assert count("other", "unmatched", "404") == before[1] + 1
        text = await (await client.get("/metrics")).text()
        assert "/a/b/c" not in text
        assert str(examples.ID) not in text
