"""Requests that no client library would send: bytes for a socket, from a seed."""

import gzip
import json
import random
from collections.abc import Callable, Iterator

from tests.fuzz.conftest import GOOD

TARGETS = (
    "/api/v1/notifications",
    "/api/v1/notifications/batch",
    "/api/v1/templates",
    "/api/v1/recipients/r",
    "/api/v1/recipients/r/preferences",
    "/api/v1/suppressions",
    "/api/v1/webhooks",
    "/api/v1/device-tokens",
    "/internal/tenants",
    "/internal/dlq/replay",
    "/callbacks/twilio",
    "/callbacks/ses",
    "/unsubscribe/x",
    "/ws",
    "/health",
)
VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    "",
    "\x00",
    "\u2028",
    "\ud800",
    "a" * 5000,
    [],
    {},
    [[]],
    [None] * 50,
    {"a": {"b": []}},
    "2024-13-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "{{",
    "{% for x in y %}",
    "../..",
    "' OR 1=1 --",
    "\r\nX: y",
    "NaN",
    "١٢٣",
)
FIELDS = (
    "channel",
    "recipient",
    "recipient_id",
    "content",
    "subject",
    "priority",
    "scheduled_at",
    "expires_at",
    "metadata",
    "template_id",
    "template_variables",
    "idempotency_key",
    "category",
    "on_unknown",
    "locale",
    "name",
    "body",
    "url",
    "events",
    "email",
    "phone",
    "push_tokens",
    "timezone",
    "channels",
    "categories",
    "address",
    "reason",
    "platform",
    "token",
)
Kind = Callable[[random.Random, str], bytes]


PUTS = {"/api/v1/recipients/r", "/api/v1/recipients/r/preferences", "/api/v1/suppressions"}


def head(target: str, *lines: str, method: str | None = None, version: str = "HTTP/1.1") -> bytes:
    method = method or ("PUT" if target in PUTS else "POST")
    fields = ["Host: x", "Content-Type: application/json", *lines]
    return (
        f"{method} {target} {version}\r\n".encode()
        + "".join(f"{line}\r\n" for line in fields).encode("utf-8", "surrogatepass")
        + b"\r\n"
    )


def sized(target: str, body: bytes, *lines: str) -> bytes:
    return head(target, f"Content-Length: {len(body)}", *lines) + body


def wrong_values(chance: random.Random, target: str) -> bytes:
    """JSON that is well formed, and wrong all the same."""
    body: object = {
        **GOOD,
        **{chance.choice(FIELDS): chance.choice(VALUES) for _ in range(chance.randint(1, 4))},
    }
    body = chance.choice(
        [body, {"notifications": [body, chance.choice(VALUES)]}, [body], chance.choice(VALUES)]
    )
    return sized(target, json.dumps(body).encode("ascii"))


def broken_json(chance: random.Random, target: str) -> bytes:
    body = bytearray(json.dumps(GOOD).encode())
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(body))
        body[at : at + chance.randint(0, 3)] = bytes(
            chance.randrange(256) for _ in range(chance.randint(0, 3))
        )
    return sized(target, bytes(body))


def deep(chance: random.Random, target: str) -> bytes:
    depth = chance.choice([100, 1000, 50_000])
    return sized(target, b'{"metadata":' + chance.choice([b"[", b'{"a":']) * depth)


def smuggled(chance: random.Random, target: str) -> bytes:
    """Two readers would see two different ends of the body.

    What is hidden behind one of them would be a 200.
    """
    hidden = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    lines = chance.choice(
        [
            ("Content-Length: 4", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: chunked", "Content-Length: 4"),
            ("Content-Length: 4", "Content-Length: 5"),
            ("Content-Length: +4",),
            ("Content-Length: 4, 4",),
            ("Content-Length: 0x4",),
            ("Content-Length: -1",),
            ("Content-Length: 99999999999999999999",),
            ("Content-Length: ٤",),
            ("Content-Length : 4",),
            ("Transfer-Encoding: xchunked",),
            ("Transfer-Encoding: chunked, identity",),
            ("Transfer-Encoding: identity, chunked",),
            ("Transfer-Encoding:\tchunked",),
            ("Transfer-Encoding: chunked", "Transfer-Encoding: cow"),
            (" Transfer-Encoding: chunked",),
            ("Foo: bar\nTransfer-Encoding: chunked",),
            ("Foo: bar\rTransfer-Encoding: chunked",),
            ("Transfer_Encoding: chunked",),
        ]
    )
    return (
        head(target, *lines)
        + chance.choice([b"0\r\n\r\n", b"1\r\nA\r\n0\r\n\r\n", b"{}  "])
        + hidden
    )


def bad_chunks(chance: random.Random, target: str) -> bytes:
    body = chance.choice(
        [
            b"g\r\n",
            b"-1\r\nx\r\n",
            b"ffffffffffffffff\r\nx",
            b"1;" + b"a" * 20_000 + b"\r\nx\r\n0\r\n\r\n",
            b"2\r\nxyz\r\n0\r\n\r\n",
            b"1\nx\n0\n\n",
            b"0\r\nTrailer: " + b"t" * 20_000 + b"\r\n\r\n",
            b"0x1\r\nx\r\n0\r\n\r\n",
            b"1 \r\nx\r\n0\r\n\r\n",
            b"\r\n\r\n",
            b"1\r\n{\r\n" * 500 + b"0\r\n\r\n",
        ]
    )
    return head(target, "Transfer-Encoding: chunked") + body


def bad_head(chance: random.Random, target: str) -> bytes:
    lines = chance.choice(
        [
            ("X-Long: " + "a" * 9000,),
            tuple(f"X-{i}: y" for i in range(2000)),
            ("X-Nul: a\x00b",),
            ("X-Cr: a\rb",),
            (": no name",),
            ("No colon",),
            ("X Y: z",),
            (" folded: a", " b"),
            ("X-Api-Key: \x7f",),
            ("Host: y", "Host: z"),
            ("Expect: 100-continue",),
            ("Expect: the unexpected",),
            ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"),
            ("Connection: close, close",),
            (
                "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
                "Connection: Upgrade, HTTP2-Settings",
            ),
            ("Accept-Encoding: " + "a," * 3000,),
            ("X-Correlation-ID: \u00e9\u2028",),
            ("traceparent: " + "0" * 500,),
            ("Idempotency-Key: " + "k" * 300,),
            ("Idempotency-Key: \u00e9",),
            ("Cookie: " + "a=b;" * 2000,),
            ("Range: bytes=0-,0-,0-",),
            ("Content-Encoding: br",),
            ("Authorization: Bearer " + "." * 3000,),
        ]
    )
    return head(target, *lines, method=chance.choice(["GET", "POST"])) + b""


def bad_line(chance: random.Random, target: str) -> bytes:
    return chance.choice(
        [
            f"GET {target}\r\n\r\n",
            f"GET  {target} HTTP/1.1\r\n\r\n",
            f"{'G' * 9000} / HTTP/1.1\r\n\r\n",
            "\r\n" * 50 + "GET / HTTP/1.1\r\n\r\n",
            f"GET {target}?{'a=' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET {target} HTTP/9.9\r\nHost: x\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            f"GET {target}/%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET http://y{target} HTTP/1.1\r\nHost: x\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
            f"G\x00T {target} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET {target}?page_size=-1&cursor=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
            (
                f"GET {target}?cursor={'z' * 3000}&status=%F0%9F&date_from=x HTTP/1.1\r\nHost:"
                " x\r\n\r\n"
            ),
            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            f"GET /..{target} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET //{target}//. HTTP/1.1\r\nHost: x\r\n\r\n",
            f"get {target} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET {target} HTTP/1.0\r\n\r\n",
            f"HEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"TRACE {target} HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
    ).encode("latin-1")


def encoded(chance: random.Random, target: str) -> bytes:
    """A bomb: a thousand times its size, where it is opened."""
    return sized(
        target, gzip.compress(b" " * chance.choice([10, 10_000_000])), "Content-Encoding: gzip"
    )


def pipelined(chance: random.Random, target: str) -> bytes:
    one = chance.choice(
        [
            head("/health", method="GET"),
            sized(target, b"{}"),
            head(target, method="PUT", version="HTTP/1.1"),
        ]
    )
    return one * chance.randint(2, 40)


def cut_off(chance: random.Random, target: str) -> bytes:
    whole = sized(target, json.dumps(GOOD).encode())
    return whole[: chance.randrange(1, len(whole))]


def noise(chance: random.Random, _target: str) -> bytes:
    return bytes(chance.randrange(256) for _ in range(chance.randint(1, 400))) + b"\r\n\r\n"


KINDS: tuple[Kind, ...] = (
    wrong_values,
    wrong_values,
    broken_json,
    deep,
    smuggled,
    bad_chunks,
    bad_head,
    bad_line,
    encoded,
    pipelined,
    cut_off,
    noise,
)


def requests(count: int, headers: str, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """So many, each with the name of its kind.

    Half of them carry credentials (`headers`, whole lines).
    """
    chance = random.Random(seed)
    for _ in range(count):
        kind, target = chance.choice(KINDS), chance.choice(TARGETS)
        raw = kind(chance, target)
        if chance.random() < 0.7:
            raw = raw.replace(b"Host: x\r\n", b"Host: x\r\n" + headers.encode())
        yield kind.__name__, raw
