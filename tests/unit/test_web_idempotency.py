"""The Idempotency-Key header: one request, one answer, and what frees a key again."""

from typing import Any

import pytest

from notistream.errors import DatabaseUnavailable
from notistream.sending.acceptance import DuplicateKey
from notistream.web.notifications import examples
from notistream.web.templates import examples as template_examples
from tests.unit.web_fakes import problem_of, serving

CREATE = "/api/v1/notifications"
GOOD: dict[str, Any] = {"channel": "push", "recipient": "t", "content": "hi"}
KEY = {"Idempotency-Key": "k-1"}
BODIES = [(CREATE, GOOD), (f"{CREATE}/batch", {"notifications": [GOOD]})]


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_repeated_request_gets_the_first_answer(path: str, body: Any) -> None:
    async with serving() as (client, fakes):
        first = await client.post(path, json=body, headers=KEY)
        again = await client.post(path, json=body, headers=KEY)
        assert (first.status, again.status) == (202, 202)
        assert await first.read() == await again.read()
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers["Content-Type"] == "application/json"
        assert again.headers["X-Correlation-ID"] != first.headers["X-Correlation-ID"]
        assert len(fakes.notifications.drafts) == 1
        assert fakes.notifications.senders[0].request_key.endswith(" k-1")


async def test_keys_count_per_route() -> None:
    async with serving() as (client, fakes):
        for path, body in BODIES:
            assert (await client.post(path, json=body, headers=KEY)).status == 202
        assert len(fakes.notifications.drafts) == 2


async def test_other_body() -> None:
    async with serving() as (client, _):
        await client.post(CREATE, json=GOOD, headers=KEY)
        problem = await problem_of(
            await client.post(CREATE, json={**GOOD, "content": "x"}, headers=KEY), 422
        )
        assert problem["code"] == "idempotency_key_reused"


async def test_in_flight() -> None:
    async with serving() as (client, fakes):
        fakes.stored_answers.fails = DatabaseUnavailable()
        first = await client.post(CREATE, json=GOOD, headers=KEY)
        assert first.status == 202, "what is committed is answered, kept or not"
        problem = await problem_of(await client.post(CREATE, json=GOOD, headers=KEY), 409)
        assert problem["code"] == "request_in_flight"


@pytest.mark.parametrize(
    ("fails", "status"),
    [
        (RuntimeError(), 500),
        (DuplicateKey(examples.PENDING), 409),
    ],
)
async def test_what_was_not_done_frees_its_key(fails: Exception, status: int) -> None:
    async with serving() as (client, fakes):
        fakes.notifications.fails = fails
        assert (await client.post(CREATE, json=GOOD, headers=KEY)).status == status
        fakes.notifications.fails = None
        again = await client.post(CREATE, json=GOOD, headers=KEY)
        assert again.status == 202
        assert "Idempotency-Replayed" not in again.headers


async def test_a_corrected_request_may_use_its_key() -> None:
    async with serving() as (client, _):
        await problem_of(
            await client.post(CREATE, json={**GOOD, "channel": "fax"}, headers=KEY), 422
        )
        assert (await client.post(CREATE, json=GOOD, headers=KEY)).status == 202


async def test_first_error_wins_over_a_key_that_cannot_be_freed() -> None:
    async with serving() as (client, fakes):
        fakes.notifications.fails = fakes.stored_answers.fails = DatabaseUnavailable("first")
        assert (await problem_of(await client.post(CREATE, json=GOOD, headers=KEY), 503))[
            "detail"
        ] == "first"


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "é", "a\tb"])
async def test_unusable_keys(key: str) -> None:
    async with serving() as (client, fakes):
        problem = await problem_of(
            await client.post(CREATE, json=GOOD, headers={"Idempotency-Key": key}), 422
        )
        assert problem["errors"][0]["pointer"] == "/header/Idempotency-Key"
        assert not fakes.stored_answers.known


async def test_longest_key() -> None:
    async with serving() as (client, _):
        assert (
            await client.post(CREATE, json=GOOD, headers={"Idempotency-Key": "k" * 255})
        ).status == 202


async def test_templates_take_no_key() -> None:
    async with serving() as (client, fakes):
        for _ in range(2):
            await client.post("/api/v1/templates", json=template_examples.TEMPLATE, headers=KEY)
        assert len(fakes.templates.created) == 2
