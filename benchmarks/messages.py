"""The notifications that are sent; each text begins with a mark that the receiver recognises."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from benchmarks import wire

TEXT = b"your parcel is on its way and arrives today between 10 and 12"
RECIPIENTS: Mapping[str, bytes] = {"sms": b"+90500%07d", "email": b"r%07d@example.com"}
_CONTENT = b'"content":"'
_CHANNEL = b'"channel":"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What all notifications of a load have in common; each has a recipient of its own."""

    channel: str = "sms"
    priority: str | None = None
    scheduled_at: str | None = None
    api_key: str | None = None
    traced_every: str | None = None
    """One request in so many is in a trace that its sender keeps.

    The others are in traces that nobody keeps.
    """

    def options(self) -> dict[str, str]:
        """What differs from the default, as plain data."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def headers(self, number: int) -> Mapping[str, str]:
        """Those of a request, by its number."""
        key = {"X-API-Key": self.api_key} if self.api_key else {}
        if self.traced_every is None:
            return key
        kept = number % int(self.traced_every) == 0
        return {**key, "traceparent": f"00-{number + 1:032x}-{number + 1:016x}-{kept:02x}"}

    def pattern(self, tag: str) -> bytes:
        """A create body with the number in two places: in the recipient and in the mark."""
        more = {"priority": self.priority, "scheduled_at": self.scheduled_at}
        fields = "".join(
            f'"{name}":"{value}",' for name, value in more.items() if value is not None
        )
        return b'{"channel":"%b","recipient":"%b",%b"content":"%b-%%d %b"}' % (
            self.channel.encode(),
            RECIPIENTS[self.channel],
            fields.encode(),
            tag.encode(),
            TEXT,
        )


PLAIN = Shape()


def mark(body: bytes) -> bytes:
    """The mark in a body that was delivered (JSON without white space around colons)."""
    start = body.find(_CONTENT) + len(_CONTENT)
    return body[start : body.find(b" ", start)]


def tag_of(name: bytes) -> bytes:
    """The tag of a mark: what was sent together."""
    return name.rpartition(b"-")[0]


def channel_of(body: bytes) -> bytes:
    """The channel in a body that was delivered."""
    start = body.find(_CHANNEL) + len(_CHANNEL)
    return body[start : body.find(b'"', start)]


def create(tag: str, number: int, shape: Shape = PLAIN) -> bytes:
    """The request that creates one notification."""
    return wire.request(
        "/api/v1/notifications", shape.pattern(tag) % (number, number), shape.headers(number)
    )


def creates(tag: str, shape: Shape = PLAIN) -> Iterator[bytes]:
    """Requests without end, each to create one notification."""
    pattern, number = shape.pattern(tag), 0
    while True:
        number += 1
        yield wire.request(
            "/api/v1/notifications", pattern % (number, number), shape.headers(number)
        )


def batches(tag: str, total: int, size: int, shape: Shape = PLAIN) -> Iterator[bytes]:
    """Requests that create `total` notifications together, `size` in each."""
    pattern = shape.pattern(tag)
    for start in range(0, total, size):
        items = b",".join(
            pattern % (number, number) for number in range(start, min(start + size, total))
        )
        headers = shape.headers(start // size)
        yield wire.request(
            "/api/v1/notifications/batch", b'{"notifications":[%b]}' % items, headers
        )
