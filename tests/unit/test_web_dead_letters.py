"""The admin guard, and dead letters over HTTP: filters, bodies, answers."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from notistream.access.authentication import Authentication
from notistream.db.dead_letters import Filter
from notistream.dead_letters.letters import readable
from notistream.web.dead_letters.routes import LETTER
from notistream.web.routes import ROUTES
from tests.tables import case
from tests.unit.web_fakes import ADMIN, problem_of, serving

DLQ = "/internal/dlq"
TENANT = UUID("01970000-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Admin-Token": ""},
        {"X-Admin-Token": "wrong"},
        {"X-API-Key": "admin-token"},
        {"X-Admin-Token": "adm\u00efn"},
    ],
)
async def test_every_internal_route_needs_the_admin_token(headers) -> None:
    async with serving() as (client, fakes):
        for route in (route for route in ROUTES if route.path.startswith("/internal")):
            with case(f"{route.method} {route.path}"):
                path = route.path.replace("{id}", str(LETTER.id))
                response = await client.request(route.method, path, headers=headers, json={})
                shown = await problem_of(response, 401)
                assert "X-Admin-Token" in shown["detail"]
                assert "X-Admin-Token" in response.headers["WWW-Authenticate"]
        assert fakes.dead_letters.calls == []


@pytest.mark.parametrize(
    ("configured", "sent", "admitted"),
    [
        ("t" * 16, "t" * 16, True),
        ("t" * 16, "t" * 15, False),
        ("t" * 16, None, False),
        ("t" * 16, "", False),
        (None, None, False),
        (None, "", False),
        (None, "None", False),
    ],
)
def test_nobody_is_admin_while_no_token_is_configured(configured, sent, admitted) -> None:
    assert Authentication(None, required=False, admin_token=configured).is_admin(sent) is admitted


@pytest.mark.parametrize(
    ("query", "headers", "meant"),
    [
        ("", {}, Filter()),
        (
            "?channel=inapp&reason=HTTP%20400&template=welcome",
            {},
            Filter(channel="in_app", reason="HTTP 400", template="welcome"),
        ),
        (f"?tenant_id={TENANT}", {}, Filter(tenant_id=TENANT)),
        ("", {"X-Tenant-ID": str(TENANT)}, Filter(tenant_id=TENANT)),
        ("", {"X-Tenant-ID": ""}, Filter()),
        (f"?tenant_id={TENANT}", {"X-Tenant-ID": str(TENANT)}, Filter(tenant_id=TENANT)),
        ("?unreplayed=true", {}, Filter(replayed=False)),
        ("?unreplayed=false", {}, Filter()),
        ("?replayed=false", {}, Filter(replayed=False)),
        ("?replayed=true", {}, Filter(replayed=True)),
        ("?since=2026-01-31T09:00:00Z", {}, Filter(since=datetime(2026, 1, 31, 9, tzinfo=UTC))),
    ],
)
async def test_list_filters(query, headers, meant) -> None:
    async with serving() as (client, fakes):
        response = await client.get(DLQ + query, headers={**ADMIN, **headers})
        assert response.status == 200, await response.text()
        assert fakes.dead_letters.calls == [("list", meant, None, 21)]


async def test_list_pages() -> None:
    async with serving() as (client, fakes):
        shown = await (
            await client.get(DLQ + f"?page_size=2&cursor={LETTER.id}", headers=ADMIN)
        ).json()
        assert (len(shown["data"]), shown["next_cursor"]) == (2, str(LETTER.id))
        assert fakes.dead_letters.calls == [("list", Filter(), LETTER.id, 3)]
        entry = shown["data"][0]
        assert {
            "id",
            "notification_id",
            "tenant_id",
            "channel",
            "reason",
            "attempts",
            "topic",
            "partition",
            "offset",
            "created_at",
        } <= entry.keys()
        assert entry["status"] == "waiting"


@pytest.mark.parametrize(
    ("query", "headers", "pointer"),
    [
        ("?channel=fax", {}, "/query/channel"),
        ("?tenant_id=x", {}, "/query/tenant_id"),
        ("?replayed=maybe", {}, "/query/replayed"),
        ("?replayed=true&unreplayed=true", {}, "/query/unreplayed"),
        ("?since=yesterday", {}, "/query/since"),
        ("?page=2", {}, "/query/page"),
        ("", {"X-Tenant-ID": "x"}, "/header/X-Tenant-ID"),
        (f"?tenant_id={TENANT}", {"X-Tenant-ID": str(uuid4())}, "/header/X-Tenant-ID"),
    ],
)
async def test_bad_filters_are_named(query, headers, pointer) -> None:
    async with serving() as (client, _):
        shown = await problem_of(await client.get(DLQ + query, headers={**ADMIN, **headers}), 422)
        assert [e["pointer"] for e in shown["errors"]] == [pointer]


async def test_replay_takes_an_empty_object_or_nothing() -> None:
    async with serving() as (client, fakes):
        for options in (
            {},
            {"json": {}},
            {"data": b"", "headers": {"Content-Type": "application/json"}},
        ):
            headers = {**ADMIN, **options.pop("headers", {})}
            response = await client.post(f"{DLQ}/{LETTER.id}/replay", headers=headers, **options)
            shown = await response.json()
            assert (response.status, shown["status"], shown["id"]) == (
                200,
                "replayed",
                str(LETTER.id),
            )
        assert fakes.dead_letters.calls == [("replay", LETTER.id, "admin")] * 3
        refused = await client.post(
            f"{DLQ}/{LETTER.id}/replay", headers=ADMIN, json={"force": True}
        )
        await problem_of(refused, 422)
        await problem_of(await client.post(f"{DLQ}/{uuid4()}/replay", headers=ADMIN), 404)
        await problem_of(await client.post(f"{DLQ}/x/replay", headers=ADMIN), 404)


async def test_replay_of_many() -> None:
    async with serving() as (client, fakes):
        asked = {
            "channel": "inapp",
            "reason": "400",
            "tenant_id": str(TENANT),
            "until": "2026-01-31T09:00:00Z",
        }
        shown = await (
            await client.post(f"{DLQ}/replay", headers=ADMIN, json={**asked, "dry_run": True})
        ).json()
        assert (shown["dry_run"], shown["matched"], shown["replayed"], shown["remaining"]) == (
            True,
            20,
            0,
            20,
        )
        assert shown["kinds"] == [
            {"channel": "sms", "reason": "HTTP 400 bad request", "undecodable": False, "count": 20}
        ]
        assert fakes.dead_letters.calls == []
        shown = await (
            await client.post(f"{DLQ}/replay", headers=ADMIN, json={**asked, "limit": 17})
        ).json()
        assert (shown["dry_run"], shown["replayed"], shown["skipped"], shown["remaining"]) == (
            False,
            15,
            2,
            3,
        )
        meant = Filter(
            channel="in_app",
            reason="400",
            tenant_id=TENANT,
            until=datetime(2026, 1, 31, 9, tzinfo=UTC),
        )
        assert fakes.dead_letters.calls == [("replay_matching", meant, "admin", 17)]


async def test_the_tenant_header_narrows_a_replay_too() -> None:
    async with serving() as (client, fakes):
        await client.post(f"{DLQ}/replay", headers={**ADMIN, "X-Tenant-ID": str(TENANT)}, json={})
        assert fakes.dead_letters.calls == [
            ("replay_matching", Filter(tenant_id=TENANT), "admin", 10_000)
        ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel": "fax"}, "/channel"),
        ({"limit": 0}, "/limit"),
        ({"limit": 10_001}, "/limit"),
        ({"dry_run": "yes"}, "/dry_run"),
        ({"tenant_id": "x"}, "/tenant_id"),
        ({"reason": ""}, "/reason"),
        ({"reason": "a\x00"}, "/reason"),
        ({"since": "2026"}, "/since"),
        ({"everything": True}, "/everything"),
    ],
)
async def test_bad_replays_are_named(body, pointer) -> None:
    async with serving() as (client, fakes):
        shown = await problem_of(await client.post(f"{DLQ}/replay", headers=ADMIN, json=body), 422)
        assert [e["pointer"] for e in shown["errors"]] == [pointer]
        assert fakes.dead_letters.calls == []


async def test_delete_answers_nothing_once() -> None:
    async with serving() as (client, fakes):
        response = await client.delete(f"{DLQ}/{LETTER.id}", headers=ADMIN)
        assert (response.status, await response.read()) == (204, b"")
        assert fakes.dead_letters.calls == [("delete", [LETTER.id], "admin")]
        await problem_of(await client.delete(f"{DLQ}/{uuid4()}", headers=ADMIN), 404)


async def test_show_has_bytes_that_are_not_text_as_base64() -> None:
    async with serving() as (client, fakes):
        fakes.dead_letters.whole = replace(
            fakes.dead_letters.whole,
            key=b"\xff",
            value=b"{bad",
            headers=[("a", b"\xfe"), ("b", None), ("b", b"x")],
        )
        shown = await (await client.get(f"{DLQ}/{LETTER.id}", headers=ADMIN)).json()
        assert (shown["key"], shown["key_encoding"]) == ("/w==", "base64")
        assert (shown["value"], shown["value_encoding"]) == ("{bad", "utf-8")
        assert [(h["name"], h["value"], h["encoding"]) for h in shown["headers"]] == [
            ("a", "/g==", "base64"),
            ("b", None, "utf-8"),
            ("b", "x", "utf-8"),
        ]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, (None, "utf-8")),
        (b"", ("", "utf-8")),
        ("ç".encode(), ("ç", "utf-8")),
        (b"\x80", ("gA==", "base64")),
    ],
)
def test_readable(found, shown) -> None:
    assert readable(found) == shown
