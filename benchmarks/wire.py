"""HTTP/1.1 for the load generator and the receiver: keep-alive and Content-Length only."""

import re
from collections.abc import Mapping
from types import MappingProxyType

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
END = b"\r\n\r\n"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def take(buffer: bytearray) -> tuple[bytes, bytes] | None:
    """Cut the first whole message off the buffer: its head and its body.

    None while it is incomplete.

    Raises:
        ValueError: the message is chunked, which nothing here sends or expects.
    """
    end = buffer.find(END)
    if end < 0:
        return None
    head = bytes(buffer[:end])
    start = end + len(END)
    stop = start + _length(head)
    if len(buffer) < stop:
        return None
    body = bytes(buffer[start:stop])
    del buffer[:stop]
    return head, body


def _length(head: bytes) -> int:
    if found := LENGTH.search(head):
        return int(found[1])
    if b"chunked" in head.lower():
        raise ValueError("a chunked message")
    return 0


def status(head: bytes) -> int:
    """Status of an answer's head: `HTTP/1.1 202 …`."""
    return int(head[9:12])


def request(path: str, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> bytes:
    """A POST of a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length:"
        f" {len(body)}"
    )
    more = "".join(f"\r\n{name}: {value}" for name, value in headers.items())
    return f"{head}{more}".encode() + END + body


def answer(code: int, body: bytes) -> bytes:
    """A JSON answer."""
    return b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        code,
        len(body),
        body,
    )
