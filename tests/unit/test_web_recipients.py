"""Bad input around recipients: tables of requests, each with the places that the answer must name.

Behind the API is a real pool without a server: what is understood is answered with 503, and never
with 422.
"""

import json
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from notistream.domain.recipient import LANGUAGE_TAG, locale_error, zone_error
from notistream.web.server.query import text_cursor
from tests.tables import case
from tests.unit.web_fakes import pointers, problem_of, serving

V1 = "/api/v1"
RECIPIENT, PREFERENCES, USER = (
    f"{V1}/recipients/u",
    f"{V1}/recipients/u/preferences",
    f"{V1}/users/u/preferences",
)
TOKENS, SUPPRESSIONS = f"{V1}/device-tokens", f"{V1}/suppressions"
JSON = {"Content-Type": "application/json"}
WRONG: list[Any] = [0, 1.5, True, "", [], {}, [1], {"a": 1}, "a\0b"]


def wrong_values(name: str, *good: Any, missing: bool = False) -> dict[str, tuple[Any, list[str]]]:
    """Every value of another type; `missing` where null is as wrong as nothing."""
    values = [
        *(w for w in WRONG if not any(w is g or (type(w) is type(g) and w == g) for g in good)),
        *([None] if missing else []),
    ]
    return {f"{name} = {value!r}": ({name: value}, [f"/{name}"]) for value in values}


BODIES: dict[str, tuple[Any, list[str]]] = {
    "not an object": ([], [""]),
    "null": (None, [""]),
    "text": ("hi", [""]),
}
CONTACTS: dict[str, tuple[Any, list[str]]] = {
    **BODIES,
    **wrong_values("email"),
    **wrong_values("phone"),
    **wrong_values("push_tokens", []),
    **wrong_values("timezone"),
    **wrong_values("locale"),
    "push_tokens = [1]": ({"push_tokens": [1]}, ["/push_tokens/0"]),
    "unknown": ({"id": "u", "mail": "x"}, ["/id", "/mail"]),
    "no e-mail address": ({"email": "a@b@c"}, ["/email"]),
    "CR LF in email": ({"email": "a@example.com\r\nBcc: x@example.com"}, ["/email"]),
    "national phone number": ({"phone": "05000000000"}, ["/phone"]),
    "no such country": ({"phone": "+9990000000"}, ["/phone"]),
    "empty token": ({"push_tokens": ["ok", " "]}, ["/push_tokens/1"]),
    "4097 characters": ({"push_tokens": ["t" * 4097]}, ["/push_tokens/0"]),
    "NUL in token": ({"push_tokens": ["a\0b"]}, ["/push_tokens/0"]),
    "21 tokens": ({"push_tokens": [f"t{n}" for n in range(21)]}, ["/push_tokens"]),
    "no such zone": ({"timezone": "Mars/Olympus"}, ["/timezone"]),
    "an offset": ({"timezone": "+03:00"}, ["/timezone"]),
    "a folder of zones": ({"timezone": "America"}, ["/timezone"]),
    "a file": ({"timezone": "../../../etc/passwd"}, ["/timezone"]),
    "the machine's zone": ({"timezone": "localtime"}, ["/timezone"]),
    "leap seconds": ({"timezone": "right/UTC"}, ["/timezone"]),
    "small letters": ({"timezone": "europe/berlin"}, ["/timezone"]),
    "long zone": ({"timezone": "A" * 5000}, ["/timezone"]),
    "underscore": ({"locale": "en_US"}, ["/locale"]),
    "all": (
        {"email": "x", "phone": "x", "push_tokens": [""], "timezone": "x", "locale": "x-"},
        ["/email", "/phone", "/push_tokens/0", "/timezone", "/locale"],
    ),
}
DEVICES: dict[str, tuple[Any, list[str]]] = {
    **BODIES,
    "unknown": ({"token": "t", "user_id": "u", "os": "x"}, ["/os"]),
    "nobody": ({"token": "t"}, ["/recipient_id"]),
    "no token": ({"recipient_id": "u"}, ["/token"]),
    "null token": ({"recipient_id": "u", "token": None}, ["/token"]),
    "empty token": ({"recipient_id": "u", "token": ""}, ["/token"]),
    "long token": ({"recipient_id": "u", "token": "t" * 4097}, ["/token"]),
    "two people": ({"recipient_id": "u", "user_id": "v", "token": "t"}, ["/user_id"]),
    "empty recipient": ({"recipient_id": "", "token": "t"}, ["/recipient_id"]),
    "empty user": ({"user_id": " ", "token": "t"}, ["/user_id"]),
    "NUL in user": ({"user_id": "a\0", "token": "t"}, ["/user_id"]),
    "long user": ({"user_id": "u" * 256, "token": "t"}, ["/user_id"]),
    "empty platform": ({"user_id": "u", "token": "t", "platform": ""}, ["/platform"]),
    "numbers": ({"user_id": 1, "token": 2, "platform": 3}, ["/user_id", "/token", "/platform"]),
}


def email(**wanted: Any) -> dict[str, Any]:
    return {"channels": {"email": wanted}}


def night(start: Any, end: Any) -> dict[str, Any]:
    return email(quiet_hours={"start": start, "end": end})


def cap(count: Any, per: Any) -> dict[str, Any]:
    return email(frequency_cap={"count": count, "per": per})


AT, QUIET, CAP = "/channels/email", "/channels/email/quiet_hours", "/channels/email/frequency_cap"
WISHES: dict[str, tuple[Any, list[str]]] = {
    **BODIES,
    **wrong_values("channels", {}, {"a": 1}),
    **wrong_values("categories", {}, {"a": 1}),
    "unknown": ({"timezone": "UTC"}, ["/timezone"]),
    "unknown channel": ({"channels": {"fax": {}, "email": {}}}, ["/channels/fax"]),
    "a/b~c": ({"channels": {"a/b~c": {}}}, ["/channels/a~1b~0c"]),
    "channel twice": ({"channels": {"in_app": {}, "inapp": {}}}, ["/channels/inapp"]),
    "unknown field": (email(mute=True), [f"{AT}/mute"]),
    "not an object in a channel": ({"channels": {"email": True}}, [AT]),
    **{f"enabled = {w!r}": (email(enabled=w), [f"{AT}/enabled"]) for w in WRONG if w is not True},
    **{
        f"quiet hours = {w!r}": (email(quiet_hours=w), [QUIET])
        for w in WRONG
        if not isinstance(w, dict)
    },
    **{f"cap = {w!r}": (email(frequency_cap=w), [CAP]) for w in WRONG if not isinstance(w, dict)},
    **{
        f"start = {w!r}": (night(w, "08:00"), [f"{QUIET}/start"])
        for w in [
            *WRONG,
            None,
            "24:00",
            "22:60",
            "22",
            "22:00:00",
            "9:00",
            "22.00",
            " 22:00",
            "22:00\n",
            "٢٢:00",
            "10pm",
        ]
    },
    "end": (night("22:00", "8:00"), [f"{QUIET}/end"]),
    "only a start": (email(quiet_hours={"start": "22:00"}), [f"{QUIET}/end"]),
    "start is end": (night("22:00", "22:00"), [QUIET]),
    "more of it": (
        email(quiet_hours={"start": "22:00", "end": "08:00", "timezone": "UTC"}),
        [f"{QUIET}/timezone"],
    ),
    **{
        f"count = {w!r}": (cap(w, "day"), [f"{CAP}/count"])
        for w in [*WRONG, None, -1, 1_000_001, 5.0, "5", 10**30]
    },
    **{
        f"per = {w!r}": (cap(1, w), [f"{CAP}/per"])
        for w in [*WRONG, None, -1, 525_601, 5.0, "60", "month", "Day", 10**30]
    },
    "only a count": (email(frequency_cap={"count": 1}), [f"{CAP}/per"]),
    "category is text": ({"categories": {"news": "no"}}, ["/categories/news"]),
    "category is null": ({"categories": {"news": None}}, ["/categories/news"]),
    "empty category": ({"categories": {" ": False}}, ["/categories/ "]),
    "NUL in category": ({"categories": {"a\0": False}}, ["/categories/a\0"]),
    "long category": ({"categories": {"c" * 256: False}}, ["/categories/" + "c" * 100]),
    "201 categories": ({"categories": {f"c{n}": False for n in range(201)}}, ["/categories"]),
}
FLAT: dict[str, Any] = {
    "channel": "email",
    "enabled": True,
    "quiet_hours_start": "22:00",
    "quiet_hours_end": "08:00",
    "frequency_cap": 5,
    "frequency_window_minutes": 60,
    "timezone": "Europe/Istanbul",
}


def flat(**changed: Any) -> dict[str, Any]:
    return {**FLAT, **changed}


USERS: dict[str, tuple[Any, list[str]]] = {
    **BODIES,
    "unknown": (flat(mute=True), ["/mute"]),
    "nothing": ({}, ["/channel"]),
    "unknown channel": (flat(channel="fax"), ["/channel"]),
    "null channel": (flat(channel=None), ["/channel"]),
    "only a start": (flat(quiet_hours_end=""), ["/quiet_hours_end"]),
    "only an end": (flat(quiet_hours_start=None), ["/quiet_hours_start"]),
    "start is end": (flat(quiet_hours_end="22:00"), ["/quiet_hours_end"]),
    "with seconds": (flat(quiet_hours_end="08:00:00"), ["/quiet_hours_end"]),
    "cap without window": (flat(frequency_window_minutes=0), ["/frequency_window_minutes"]),
    "cap -1": (flat(frequency_cap=-1), ["/frequency_cap"]),
    "a year and a minute": (flat(frequency_window_minutes=525_601), ["/frequency_window_minutes"]),
    "zone": (flat(timezone="GMT+3"), ["/timezone"]),
    "types": (
        flat(enabled="yes", quiet_hours_start=22, frequency_cap="5"),
        ["/enabled", "/quiet_hours_start", "/frequency_cap"],
    ),
    "no list": ({"preferences": []}, ["/preferences"]),
    "one of many": ({"preferences": [FLAT, {"channel": "fax"}]}, ["/preferences/1/channel"]),
    "twice": ({"preferences": [FLAT, FLAT]}, ["/preferences/1/channel"]),
    "twice by an alias": (
        {"preferences": [{"channel": "in_app"}, {"channel": "inapp"}]},
        ["/preferences/1/channel"],
    ),
    "two zones": (
        {"preferences": [FLAT, {"channel": "sms", "timezone": "UTC"}]},
        ["/preferences/1/timezone"],
    ),
    "mixed": ({"channels": {}, "channel": "email"}, ["/channel"]),
    "our shape": (night("22:00", "22:00"), [QUIET]),
}
ADDRESSES: dict[str, tuple[Any, list[str]]] = {
    **BODIES,
    "unknown": ({"channel": "sms", "address": "+905000000001", "why": "x"}, ["/why"]),
    "nothing": ({}, ["/channel", "/address"]),
    "unknown channel": ({"channel": "fax", "address": "x"}, ["/channel"]),
    "phone of email": ({"channel": "email", "address": "+905000000001"}, ["/address"]),
    "e-mail of sms": ({"channel": "sms", "address": "a@example.com"}, ["/address"]),
    "empty": ({"channel": "push", "address": ""}, ["/address"]),
    "NUL": ({"channel": "push", "address": "a\0"}, ["/address"]),
    "2001 bytes": ({"channel": "push", "address": "é" * 1000 + "e"}, ["/address"]),
    "reason": ({"channel": "push", "address": "t", "reason": "spite"}, ["/reason"]),
    "NUL in note": ({"channel": "push", "address": "t", "note": "\0"}, ["/note"]),
    "long note": ({"channel": "push", "address": "t", "note": "n" * 1001}, ["/note"]),
}
FORGOTTEN: dict[str, tuple[Any, list[str]]] = {
    **BODIES,
    "unknown": ({"token": "t", "a": 1}, ["/a"]),
    "nothing": ({}, ["/token"]),
    "NUL": ({"token": "\0"}, ["/token"]),
    "long": ({"token": "t" * 4097}, ["/token"]),
}
TABLES: dict[tuple[str, str], dict[str, tuple[Any, list[str]]]] = {
    ("PUT", RECIPIENT): CONTACTS,
    ("POST", TOKENS): DEVICES,
    ("DELETE", TOKENS): FORGOTTEN,
    ("PUT", PREFERENCES): WISHES,
    ("PUT", USER): USERS,
    ("PUT", SUPPRESSIONS): ADDRESSES,
}
UNREADABLE = [b"", b"{", b"{}{}", b'{"a":"\xff"}', b'{"token":"\\ud800"}', b"[" * 5000]


@pytest.mark.parametrize(("method", "path"), TABLES)
async def test_invalid_body(method: str, path: str) -> None:
    async with serving() as (client, _):
        for name, (body, places) in TABLES[method, path].items():
            with case(name):
                data = json.dumps(body).encode()
                answer = await client.request(method, path, data=data, headers=JSON)
                problem = await problem_of(answer, 422)
                assert pointers(problem) == places
                assert all(e["message"] for e in problem["errors"])


@pytest.mark.parametrize(("method", "path"), TABLES)
async def test_unreadable_body(method: str, path: str) -> None:
    async with serving() as (client, _):
        for body in UNREADABLE:
            with case(body[:20]):
                await problem_of(await client.request(method, path, data=body, headers=JSON), 400)


GOOD: list[tuple[str, str, Any]] = [
    ("PUT", RECIPIENT, {}),
    ("PUT", RECIPIENT, dict.fromkeys(("email", "phone", "push_tokens", "timezone", "locale"))),
    ("PUT", RECIPIENT, {"push_tokens": ["t" * 4096] * 20, "timezone": "America/Argentina/Ushuaia"}),
    ("POST", TOKENS, {"recipient_id": "u", "user_id": "u", "token": "t", "platform": None}),
    ("PUT", PREFERENCES, {}),
    ("PUT", PREFERENCES, {"channels": None, "categories": None}),
    ("PUT", PREFERENCES, night("00:00", "23:59")),
    ("PUT", PREFERENCES, cap(1_000_000, "week")),
    ("PUT", PREFERENCES, cap(1, 1)),
    ("PUT", PREFERENCES, cap(1, 525_600)),
    ("PUT", PREFERENCES, email(enabled=None, quiet_hours=None, frequency_cap=None)),
    ("PUT", PREFERENCES, {"categories": {f"c{n}": False for n in range(200)}}),
    ("PUT", USER, FLAT),
    ("PUT", USER, {"preferences": [FLAT, {"channel": "sms", "timezone": "Europe/Istanbul"}]}),
    ("PUT", USER, night("22:00", "08:00")),
    ("PUT", f"{USER}/email", flat(channel=None)),
    ("PUT", f"{USER}/inapp", {}),
    (
        "PUT",
        SUPPRESSIONS,
        {"channel": "push", "address": "é" * 1000, "reason": None, "note": "n" * 1000},
    ),
    ("PUT", f"{SUPPRESSIONS}/inapp/u", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), GOOD)
async def test_what_is_good_reaches_the_database(method: str, path: str, body: Any) -> None:
    async with serving() as (client, _):
        await problem_of(await client.request(method, path, json=body), 503)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (flat(channel="sms"), "/channel"),
        (flat(channel="fax"), "/channel"),
        ({"channels": {}}, "/channels"),
        ({"preferences": [FLAT]}, "/preferences"),
    ],
)
async def test_one_channel_in_the_path_is_one_in_the_body(body: Any, place: str) -> None:
    async with serving() as (client, _):
        assert pointers(await problem_of(await client.put(f"{USER}/email", json=body), 422)) == [
            place
        ]


LONG = "u" * 256
PATHS: list[tuple[str, str, Any, str]] = [
    *(
        (method, f"{V1}/{what}", body, "/path/recipient_id")
        for bad in ("%00", "a%0Ab", "%20", "%E2%80%A8", LONG)
        for method, what, body in (
            ("GET", f"recipients/{bad}", None),
            ("PUT", f"recipients/{bad}", {}),
            ("GET", f"recipients/{bad}/preferences", None),
            ("PUT", f"recipients/{bad}/preferences", {}),
            ("GET", f"users/{bad}/preferences", None),
            ("PUT", f"users/{bad}/preferences", FLAT),
            ("DELETE", f"users/{bad}/preferences/email", None),
        )
    ),
    ("PUT", f"{USER}/fax", {}, "/path/channel"),
    ("DELETE", f"{USER}/fax", None, "/path/channel"),
    ("PUT", f"{SUPPRESSIONS}/fax/x", {}, "/path/channel"),
    ("DELETE", f"{SUPPRESSIONS}/fax/x", None, "/path/channel"),
    ("PUT", f"{SUPPRESSIONS}/sms/0500", {}, "/path/address"),
    ("PUT", f"{SUPPRESSIONS}/push/%00", {}, "/path/address"),
    ("DELETE", f"{SUPPRESSIONS}/push/%00", None, "/path/address"),
    ("DELETE", f"{TOKENS}/%00", None, "/path/token"),
    ("PUT", f"{SUPPRESSIONS}/push/{'t' * 2001}", {}, "/path/address"),
    ("PUT", f"{SUPPRESSIONS}/push/t", {"reason": "spite"}, "/reason"),
    ("DELETE", SUPPRESSIONS, {"channel": "fax", "address": "x"}, "/channel"),
    ("DELETE", SUPPRESSIONS, {"channel": "push", "address": "\0"}, "/address"),
]


@pytest.mark.parametrize(("method", "path", "body", "place"), PATHS)
async def test_invalid_path(method: str, path: str, body: Any, place: str) -> None:
    async with serving() as (client, _):
        response = await client.request(
            method, URL(path, encoded=True), **({} if body is None else {"json": body})
        )
        assert pointers(await problem_of(response, 422)) == [place]


NO_CURSORS = [
    "abc",
    "",
    "%",
    "é",
    text_cursor(),
    text_cursor("a", "b"),
    text_cursor("a", "b", "c", "d"),
    text_cursor("a\0"),
    text_cursor("a\0", "b", ""),
    "WzFd",
    "eyJhIjoxfQ",
    "IngI",
    "W10=",
    "00000000-0000-7000-8000-000000000000",
]


@pytest.mark.parametrize("path", [f"{V1}/recipients", SUPPRESSIONS])
@pytest.mark.parametrize("cursor", NO_CURSORS)
async def test_invalid_cursor(path: str, cursor: str) -> None:
    async with serving() as (client, _):
        response = await client.get(URL(f"{path}?cursor={quote(cursor)}", encoded=True))
        assert pointers(await problem_of(response, 422)) == ["/query/cursor"]


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        (f"{V1}/recipients", ("ü/?&=+",)),
        (f"{V1}/recipients", ("x" * 255,)),
        (SUPPRESSIONS, ("email", "a@example.com", "")),
        (SUPPRESSIONS, ("email", "a@example.com", "ü")),
    ],
)
async def test_a_cursor_needs_no_escaping(path: str, texts: tuple[str, ...]) -> None:
    cursor = text_cursor(*texts)
    assert quote(cursor, safe="") == cursor
    async with serving() as (client, _):
        await problem_of(await client.get(f"{path}?cursor={cursor}"), 503)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("page=2", "/query/page"),
        ("page_size=101", "/query/page_size"),
        ("channel=fax", "/query/channel"),
        ("address=", "/query/address"),
        ("address=%00", "/query/address"),
        ("reason=manual", "/query/reason"),
    ],
)
async def test_invalid_query(query: str, place: str) -> None:
    async with serving() as (client, _):
        assert pointers(await problem_of(await client.get(f"{SUPPRESSIONS}?{query}"), 422)) == [
            place
        ]


@pytest.mark.parametrize(
    "tag",
    [
        "en",
        "de",
        "pt-BR",
        "EN-us",
        "zh-Hant-TW",
        "es-419",
        "sr-Latn-RS",
        "sl-rozaj-biske",
        "de-CH-1901",
        "hy-Latn-IT-arevela",
        "en-US-u-islamcal",
        "zh-cmn-Hans-CN",
        "de-a-value-b-other",
        "tlh",
        "x" * 8,
        "en-x-private",
    ],
)
def test_language_tags(tag: str) -> None:
    assert locale_error(tag) is None


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "e",
        "en_US",
        "en-",
        "-en",
        "en--US",
        "x" * 9,
        "en US",
        "1n",
        "en-x",
        "en-u",
        "de-419-DE",
        "en-US\n",
        "ｅｎ",
        "C",
        "en-" + "-".join(["abcde"] * 20),
    ],
)
def test_what_is_no_language_tag(tag: str) -> None:
    assert locale_error(tag)


def test_a_long_locale_is_answered_at_once() -> None:
    assert not LANGUAGE_TAG.match("en-" + "a1b2c-" * 50_000)


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Etc/GMT+3"]
)
def test_zones(name: str) -> None:
    assert zone_error(name) is None
