"""Bad input is an answer: a table of requests, each with the status and the places that it must
name.
"""

import json
from typing import Any

import orjson
import pytest

from tests.tables import case
from tests.unit.web_fakes import pointers, problem_of, serving

GOOD: dict[str, Any] = {"channel": "sms", "recipient": "+905000000000", "content": "hi"}
CREATE, BATCH, TEMPLATES = (
    "/api/v1/notifications",
    "/api/v1/notifications/batch",
    "/api/v1/templates",
)
JSON = {"Content-Type": "application/json"}
WRONG: list[Any] = [0, 1.5, True, "", [], {}, [1], {"a": 1}]


def without(name: str) -> dict[str, Any]:
    return {k: v for k, v in GOOD.items() if k != name}


UNREADABLE = {
    "empty": b"",
    "open brace": b"{",
    "trailing garbage": orjson.dumps(GOOD) + b"x",
    "two values": b"{}{}",
    "single quotes": b"{'channel':'sms'}",
    "invalid utf-8": b'{"channel":"\xff\xfe"}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "lone surrogate": b'{"channel":"\\ud800"}',
    "raw NUL": b'{"channel":"\x00"}',
    "NaN": b'{"channel":"push","recipient":"t","content":"x","metadata":{"a":NaN}}',
    "Infinity": b'{"channel":"push","recipient":"t","content":"x","metadata":{"a":-Infinity}}',
    "nested": b'{"metadata":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "nested objects": b'{"metadata":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    "endless number": b'{"metadata":{"a":' + b"9" * 5000 + b"}}",
}


@pytest.mark.parametrize("path", [CREATE, BATCH, TEMPLATES])
async def test_unreadable(path: str) -> None:
    async with serving() as (client, fakes):
        for name, body in UNREADABLE.items():
            with case(name):
                problem = await problem_of(await client.post(path, data=body, headers=JSON), 400)
                assert problem["code"] == "unreadable_json"
        assert not fakes.notifications.drafts


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "json",
        "application/jsonx",
    ],
)
async def test_media_type(kind: str | None) -> None:
    async with serving() as (client, _):
        headers = {"Content-Type": kind} if kind else None
        skip = () if kind else ("Content-Type",)
        response = await client.post(
            CREATE, data=orjson.dumps(GOOD), headers=headers, skip_auto_headers=skip
        )
        await problem_of(response, 415)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=UTF-8",
        "Application/JSON",
        "application/vnd.acme+json",
        'application/json; charset="utf-8"',
    ],
)
async def test_media_type_accepted(kind: str) -> None:
    async with serving() as (client, _):
        response = await client.post(
            CREATE, data=orjson.dumps(GOOD), headers={"Content-Type": kind}
        )
        assert response.status == 202


INVALID: dict[str, tuple[Any, list[str]]] = {
    "not an object": ([], [""]),
    "null": (None, [""]),
    "text": ("hi", [""]),
    "empty object": ({}, ["/channel"]),
    "unknown channel": ({**GOOD, "channel": "fax"}, ["/channel"]),
    "wrong phone": ({**GOOD, "recipient": "0500"}, ["/recipient"]),
    "161 characters": ({**GOOD, "content": "x" * 161}, ["/content"]),
    "nobody": (without("recipient"), ["/recipient"]),
    "nothing": (without("content"), ["/content"]),
    "NUL in content": ({**GOOD, "content": "a\0b"}, ["/content"]),
    "NUL in recipient": ({**GOOD, "channel": "push", "recipient": "a\0b"}, ["/recipient"]),
    "NUL in template": ({**GOOD, "template_id": "a\0b"}, ["/template_id"]),
    "NUL in metadata": ({**GOOD, "metadata": {"a": ["\0"]}}, ["/metadata"]),
    "NUL in a key": ({**GOOD, "payload": {"a\0": 1}}, ["/payload"]),
    "unknown field": ({**GOOD, "to": "x", "a/b~c": 1}, ["/to", "/a~1b~0c"]),
    "several": ({"channel": 1, "content": 2}, ["/channel", "/content"]),
    "huge integer": ({**GOOD, "metadata": {"a": {"b": 2**63 * 4}}}, ["/metadata"]),
    "huge float": (
        b'{"channel":"push","recipient":"t","content":"hi","metadata":{"a":1e999}}',
        ["/metadata"],
    ),
    "priority 0": ({**GOOD, "priority": 0}, ["/priority"]),
    "priority 11": ({**GOOD, "priority": 11}, ["/priority"]),
    "priority true": ({**GOOD, "priority": True}, ["/priority"]),
    "priority 5.0": ({**GOOD, "priority": 5.0}, ["/priority"]),
    "priority urgent": ({**GOOD, "priority": "urgent"}, ["/priority"]),
    "priority '3'": ({**GOOD, "priority": "3"}, ["/priority"]),
    "empty key": ({**GOOD, "idempotency_key": ""}, ["/idempotency_key"]),
    "long key": ({**GOOD, "idempotency_key": "k" * 256}, ["/idempotency_key"]),
    "control in key": ({**GOOD, "idempotency_key": "a\nb"}, ["/idempotency_key"]),
    "no zone": ({**GOOD, "scheduled_at": "2026-01-01T00:00:00"}, ["/scheduled_at"]),
    "only a date": ({**GOOD, "scheduled_at": "2026-01-01"}, ["/scheduled_at"]),
    "seconds since 1970": ({**GOOD, "scheduled_at": 1_700_000_000}, ["/scheduled_at"]),
    "the same as text": ({**GOOD, "scheduled_at": "1700000000"}, ["/scheduled_at"]),
    "30 February": ({**GOOD, "scheduled_at": "2026-02-30T00:00:00Z"}, ["/scheduled_at"]),
    "before year 1": ({**GOOD, "scheduled_at": "0001-01-01T00:00:00+14:00"}, ["/scheduled_at"]),
    "last moment": ({**GOOD, "scheduled_at": "9999-12-31T23:59:59.999999Z"}, ["/scheduled_at"]),
    "first moment": ({**GOOD, "expires_at": "0001-01-01T00:00:00Z"}, ["/expires_at"]),
    "Arabic digits": ({**GOOD, "scheduled_at": "٢٠٢٦-01-01T00:00:00Z"}, ["/scheduled_at"]),
    "expired": ({**GOOD, "expires_at": "2020-01-01T00:00:00Z"}, ["/expires_at"]),
    "on_unknown": ({**GOOD, "on_unknown": "drop"}, ["/on_unknown"]),
    "two recipients": ({**GOOD, "recipient_address": "+905000000001"}, ["/recipient_address"]),
    "two payloads": ({**GOOD, "template_variables": {"a": 1}, "payload": {"a": 2}}, ["/payload"]),
}
FIELDS = {
    **dict.fromkeys(
        (
            "channel",
            "recipient",
            "recipient_address",
            "recipient_id",
            "content",
            "subject",
            "template_id",
            "idempotency_key",
            "category",
            "type",
        ),
        str,
    ),
    **dict.fromkeys(("template_variables", "payload", "metadata"), dict),
    **dict.fromkeys(("scheduled_at", "expires_at", "on_unknown", "priority"), type(None)),
}


def of_wrong_type(name: str) -> dict[str, tuple[Any, list[str]]]:
    """Every value that is of no type which the field takes."""
    values = [value for value in WRONG if not isinstance(value, FIELDS[name])]
    if name == "priority":
        values = [value for value in values if type(value) is not int or not value]
    return {repr(value): ({**GOOD, name: value}, [f"/{name}"]) for value in values}


TABLES = {"bad values": INVALID, **{name: of_wrong_type(name) for name in FIELDS}}


def raw(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.mark.parametrize("table", TABLES)
async def test_invalid_notification(table: str) -> None:
    async with serving() as (client, fakes):
        for name, (body, places) in TABLES[table].items():
            with case(name):
                answer = await client.post(CREATE, data=raw(body), headers=JSON)
                problem = await problem_of(answer, 422)
                assert pointers(problem) == places
                assert all(e["message"] for e in problem["errors"])
        assert not fakes.notifications.drafts


@pytest.mark.parametrize("table", TABLES)
async def test_invalid_item_leaves_its_neighbours_alone(table: str) -> None:
    good = orjson.dumps(GOOD)
    async with serving() as (client, fakes):
        for count, (name, (body, places)) in enumerate(TABLES[table].items(), 1):
            with case(name):
                data = b'{"notifications":[%b,%b,%b]}' % (good, raw(body), good)
                response = await client.post(BATCH, data=data, headers=JSON)
                answer = await response.json()
                assert response.status == 202, answer
                first, wrong, last = answer["notifications"]
                assert (first["status"], wrong["status"], last["status"]) == (
                    "pending",
                    422,
                    "pending",
                )
                assert pointers(wrong) == [f"/notifications/1{p}" for p in places]
                assert len(fakes.notifications.drafts) == 2 * count


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/notifications"]),
        ({"notifications": []}, ["/notifications"]),
        ({"notifications": None}, ["/notifications"]),
        ({"notifications": {}}, ["/notifications"]),
        ({"notifications": [GOOD], "x": 1}, ["/x"]),
        ({"notifications": [GOOD] * 1001}, ["/notifications"]),
    ],
)
async def test_invalid_batch(body: Any, places: list[str]) -> None:
    async with serving() as (client, fakes):
        problem = await problem_of(await client.post(BATCH, json=body), 422)
        assert pointers(problem) == places
        assert not fakes.notifications.drafts


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"name": "n", "channel": "sms"}, ["/body"]),
        ({"channel": "sms", "body": "b"}, ["/name"]),
        ({"name": "n", "body": "b"}, ["/channel"]),
        (
            {"name": 1, "channel": 2, "body": 3, "subject": 4, "metadata": 5, "is_active": "yes"},
            ["/subject", "/body", "/name", "/channel", "/metadata", "/is_active"],
        ),
        (
            {"name": "n\0", "channel": "sms", "body": "b\0", "subject": "\0"},
            ["/subject", "/body", "/name"],
        ),
        ({"name": "n", "channel": "sms", "body": "b", "body_template": "c"}, ["/body_template"]),
        ({"name": "n", "channel": "sms", "body": "b", "version": 2}, ["/version"]),
    ],
)
async def test_invalid_template(body: Any, places: list[str]) -> None:
    async with serving() as (client, fakes):
        problem = await problem_of(await client.post(TEMPLATES, json=body), 422)
        assert pointers(problem) == places
        assert not fakes.templates.created


@pytest.mark.parametrize(
    ("query", "place", "word"),
    [
        ("page=2", "/query/page", "cursor"),
        ("per_page=5", "/query/per_page", "cursor"),
        ("page_size=0", "/query/page_size", "100"),
        ("page_size=101", "/query/page_size", "100"),
        ("page_size=ten", "/query/page_size", "100"),
        ("page_size=99999999999999", "/query/page_size", "100"),
        ("page_size=1&page_size=2", "/query/page_size", "once"),
        ("page_size=%D9%A5", "/query/page_size", "100"),
        ("status=sent", "/query/status", "delivered"),
        ("status=failed,", "/query/status", "delivered"),
        ("channel=fax", "/query/channel", "sms"),
        ("batch_id=7", "/query/batch_id", "UUID"),
        ("cursor=abc", "/query/cursor", "next_cursor"),
        ("recipient=%00", "/query/recipient", "NUL"),
        ("recipient=", "/query/recipient", "empty"),
        ("date_from=yesterday", "/query/date_from", "RFC 3339"),
        ("state=failed", "/query/state", "known"),
    ],
)
async def test_invalid_query(query: str, place: str, word: str) -> None:
    async with serving() as (client, fakes):
        problem = await problem_of(await client.get(f"{CREATE}?{query}"), 422)
        assert pointers(problem) == [place]
        assert word in problem["detail"]
        assert not fakes.notifications.filters


@pytest.mark.parametrize(
    "query", ["atomic=maybe", "atomic", "atomic=true&atomic=false", "atomc=true"]
)
async def test_invalid_atomic(query: str) -> None:
    async with serving() as (client, fakes):
        await problem_of(await client.post(f"{BATCH}?{query}", json={"notifications": [GOOD]}), 422)
        assert not fakes.notifications.drafts


async def test_a_thousand_wrong_fields_are_answered_briefly() -> None:
    async with serving() as (client, _):
        body = {**GOOD, **{f"{'x' * 500}{n}": n for n in range(1000)}}
        response = await client.post(CREATE, json=body)
        problem = await problem_of(response, 422)
        assert len(problem["errors"]) == 50
        assert len(await response.read()) < 20_000
