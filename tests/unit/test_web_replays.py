"""Replays of a time range over HTTP: who may ask, and what is refused."""

from typing import Any

import pytest

from tests.unit.web_fakes import ADMIN, pointers, problem_of, serving

PATH = "/internal/replays"
SINCE = "2026-01-31T09:00:00Z"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PATH),
        ("GET", PATH),
        ("GET", f"{PATH}/01970000-0000-7000-8000-0000000000ee"),
        ("POST", f"{PATH}/01970000-0000-7000-8000-0000000000ee/stop"),
    ],
)
async def test_only_with_the_admin_token(method: str, path: str) -> None:
    async with serving() as (client, _):
        for headers in ({}, {"X-API-Key": "good"}, {"X-Admin-Token": "guess"}):
            await problem_of(
                await client.request(method, path, json={"since": SINCE}, headers=headers), 401
            )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["/since"]),
        ({"since": "yesterday"}, ["/since"]),
        ({"since": SINCE, "until": SINCE}, ["/until"]),
        ({"since": SINCE, "channel": "fax"}, ["/channel"]),
        ({"since": SINCE, "statuses": []}, ["/statuses"]),
        ({"since": SINCE, "statuses": ["failed", "pending"]}, ["/statuses/1"]),
        ({"since": SINCE, "rate": 0}, ["/rate"]),
        ({"since": SINCE, "rate": 1e9}, ["/rate"]),
        ({"since": SINCE, "id": "first", "tenant_id": 7}, ["/id", "/tenant_id"]),
        ({"since": SINCE, "dry_run": "no"}, ["/dry_run"]),
        ({"since": SINCE, "from": SINCE}, ["/from"]),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, Any], expected: list[str]) -> None:
    async with serving() as (client, _):
        problem = await problem_of(await client.post(PATH, json=body, headers=ADMIN), 422)
        assert sorted(pointers(problem)) == expected


@pytest.mark.parametrize("since", ["0001-01-01T00:00:01Z", "9999-12-31T23:59:58Z"])
async def test_the_ends_of_the_calendar_are_moments_too(since: str) -> None:
    async with serving() as (client, _):
        await problem_of(
            await client.post(PATH, json={"since": since}, headers=ADMIN), 503
        )  # there is no database


async def test_what_is_no_replay_is_not_found() -> None:
    async with serving() as (client, _):
        await problem_of(await client.get(f"{PATH}/first", headers=ADMIN), 404)
        await problem_of(await client.post(f"{PATH}/first/stop", headers=ADMIN), 404)
