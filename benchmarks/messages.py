"""The notifications that are sent: every text begins with a mark of its own, by which the receiver knows it again."""

from collections.abc import Iterator

from benchmarks import wire

TEXT = b"your parcel is on its way and arrives today between 10 and 12"
_CONTENT = b'"content":"'


def mark(body: bytes) -> bytes:
    """The mark in a body that was delivered (JSON without white space around colons)."""
    start = body.find(_CONTENT) + len(_CONTENT)
    return body[start : body.find(b" ", start)]


def item(tag: str, number: int) -> bytes:
    """One create body: an SMS, normal priority, to a recipient of its own, with the mark `tag-number`."""
    return b'{"channel":"sms","recipient":"+90500%07d","content":"%b-%d %b"}' % (number, tag.encode(), number, TEXT)


def creates(tag: str, path: str = "/api/v1/notifications") -> Iterator[bytes]:
    """Requests without end, each to create one notification."""
    number = 0
    while True:
        number += 1
        yield wire.request(path, item(tag, number))


def batches(tag: str, total: int, size: int) -> Iterator[bytes]:
    """Requests that create `total` notifications together, `size` in each."""
    for start in range(0, total, size):
        items = b",".join(item(tag, number) for number in range(start, min(start + size, total)))
        yield wire.request("/api/v1/notifications/batch", b'{"notifications":[%b]}' % items)
