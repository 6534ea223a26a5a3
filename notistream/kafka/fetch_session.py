"""Fetch sessions (Kafka's KIP-227), which aiokafka does not have: each fetch names all partitions.

A worker reads some hundred partitions, of which one or two have something new at a time. To write
and read them all was most of what a fetch cost, here and in the broker. In a session the broker
remembers what is fetched, and only changes travel.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.fetch import FetchRequest

from notistream.compat.aiokafka import SessionFetch

CALM_AFTER = 100
"""So many fetches in a row that asked for the same and found nothing make a session calm."""
CALM_WAIT_MS = 500
"""How long a broker may hold a fetch of a calm session."""

Partition = tuple[str, int]
Place = tuple[int, int]
"""Offset, and how many bytes at most."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What the broker is to learn with the next fetch.

    Epoch 0 begins a session, in place of `id` if that is one.
    """

    id: int
    epoch: int
    fetched: Mapping[Partition, Place]
    forgotten: Iterable[Partition]


class Session:
    """What one broker remembers of this consumer's fetches, as far as its answers have shown."""

    def __init__(self) -> None:
        self._id = 0
        self._epoch = 0
        self._known: Mapping[Partition, Place] = {}
        self._alike = 0

    @property
    def is_calm(self) -> bool:
        """Whether nothing has come or changed for a while; news are still answered at once."""
        return self._alike >= CALM_AFTER

    def changes(self, wanted: Mapping[Partition, Place]) -> Changes:
        """What to send so that exactly `wanted` is fetched; call `answered` before the next."""
        known = self._known if self._epoch else {}
        fetched = {tp: place for tp, place in wanted.items() if known.get(tp) != place}
        forgotten = [tp for tp in known if tp not in wanted]
        self._alike = 0 if fetched or forgotten else self._alike + 1
        self._known = wanted
        return Changes(self._id, self._epoch, fetched, forgotten)

    def answered(self, session_id: int, error_code: int, *, news: bool) -> None:
        """Note the broker's answer.

        Id 0: it keeps no session. An error: it lost this one. `news`: a partition had something.
        """
        if news:
            self._alike = 0
        if error_code or not session_id:
            self._id = self._epoch = 0
        else:
            self._id, self._epoch = session_id, self._epoch % (2**31 - 1) + 1

    def lost(self) -> None:
        """No answer came: nobody knows what the broker remembers."""
        self._epoch = 0


def _by_topic(items: Iterable[tuple[Partition, Any]]) -> list[tuple[str, list[Any]]]:
    topics: dict[str, list[Any]] = defaultdict(list)
    for (topic, partition), value in items:
        topics[topic].append(partition if value is None else (partition, *value))
    return list(topics.items())


class FetchSessions:
    """Replaces the `send` of an aiokafka client; every broker has a session of its own.

    A client has one fetch per broker at a time, so each answer belongs to the last changes sent.
    """

    def __init__(self, send: Callable[..., Awaitable[Any]]) -> None:
        self._send = send
        self._sessions: dict[int, Session] = defaultdict(Session)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """As `AIOKafkaClient.send`; the answer to a fetch holds only partitions with news."""
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        session = self._sessions[node_id]
        wanted = {
            (topic, partition): (offset, most)
            for topic, partitions in request.topics
            for partition, offset, most in partitions
        }
        fetch = _fetch(request, session.changes(wanted), calm=session.is_calm)
        try:
            response = await self._send(node_id, fetch, **options)
        except (Exception, asyncio.CancelledError):
            session.lost()
            raise
        session.answered(
            getattr(response, "session_id", 0),
            getattr(response, "error_code", 0),
            news=bool(response.topics),
        )
        return response


def _fetch(whole: FetchRequest, changes: Changes, *, calm: bool) -> SessionFetch:
    return SessionFetch(
        whole,
        (changes.id, changes.epoch),
        _by_topic(changes.fetched.items()),
        _by_topic((tp, None) for tp in changes.forgotten),
        wait_ms=CALM_WAIT_MS if calm else None,
    )
