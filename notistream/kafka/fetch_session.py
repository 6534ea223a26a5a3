"""Fetch sessions (Kafka's KIP-227) for aiokafka, which names every partition in each fetch and gets each answered.

A worker reads 168 partitions, of which one or two have something new at a time: to write and read them all took most of
what a fetch costs, here and in the broker. In a session the broker remembers what is fetched, and only changes travel.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct

SESSIONS_SINCE = 7
"""The version of the fetch request that has them."""
CALM_AFTER = 100
CALM_WAIT_MS = 500
"""How long a broker may keep a fetch, after so many in a row that asked for the same and found nothing."""

Partition = tuple[str, int]
Place = tuple[int, int]
"""Offset, and how many bytes at most."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What the broker is to learn with the next fetch.

    Epoch 0 begins a session, in place of `id` if it has one.
    """

    id: int
    epoch: int
    fetched: Mapping[Partition, Place]
    forgotten: Iterable[Partition]


class Session:
    """What one broker remembers of this consumer's fetches, as far as its answers have told."""

    def __init__(self) -> None:
        self._id = 0
        self._epoch = 0
        self._known: Mapping[Partition, Place] = {}
        self._alike = 0

    @property
    def calm(self) -> bool:
        """Whether nothing has come or changed for a while: what comes next is the broker's, which answers at once."""
        return self._alike >= CALM_AFTER

    def changes(self, wanted: Mapping[Partition, Place]) -> Changes:
        """What to send so that exactly `wanted` is fetched.

        Its answer must be told before the next.
        """
        known = self._known if self._epoch else {}
        fetched = {tp: place for tp, place in wanted.items() if known.get(tp) != place}
        forgotten = [tp for tp in known if tp not in wanted]
        self._alike = 0 if fetched or forgotten else self._alike + 1
        self._known = wanted
        return Changes(self._id, self._epoch, fetched, forgotten)

    def answered(self, session_id: int, error_code: int, *, news: bool) -> None:
        """Its answer: 0 where it keeps no session, an error where it lost this one.

        `news`: of any partition.
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


class _Incremental(FetchRequest):  # type: ignore[misc] # aiokafka's types are not read
    """A fetch within a session; for a broker that is too old for them, the whole one."""

    def __init__(self, whole: FetchRequest, changes: Changes, *, calm: bool) -> None:
        self.__dict__.update(whole.__dict__)
        self._changes = changes
        if calm:
            self._max_wait_ms = CALM_WAIT_MS

    def build(self, request_struct_class: type[FetchRequestStruct]) -> FetchRequestStruct:
        if request_struct_class.API_VERSION < SESSIONS_SINCE:
            return super().build(request_struct_class)
        self._topics = [
            (topic, [(partition, *place) for partition, place in places])
            for topic, places in _by_topic(
                (tp, place) for tp, place in self._changes.fetched.items()
            )
        ]
        built: Any = super().build(request_struct_class)
        built.session_id, built.session_epoch = self._changes.id, self._changes.epoch
        built.forgotten_topics_data = [
            (topic, [partition for partition, _ in partitions])
            for topic, partitions in _by_topic((tp, None) for tp in self._changes.forgotten)
        ]
        return built


def _by_topic(
    items: Iterable[tuple[Partition, Any]],
) -> Iterable[tuple[str, list[tuple[int, Any]]]]:
    topics: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for (topic, partition), value in items:
        topics[topic].append((partition, value))
    return topics.items()


class FetchSessions:
    """Stands before the `send` of an aiokafka client; every broker has a session of its own.

    There is one fetch per broker at a time, so the answer is always that to the last changes.
    """

    def __init__(self, send: Callable[..., Awaitable[Any]]) -> None:
        self._send = send
        self._sessions: dict[int, Session] = defaultdict(Session)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """As `AIOKafkaClient.send`.

        The answer to a fetch has only those partitions of which there is something new.
        """
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        session = self._sessions[node_id]
        wanted = {
            (topic, partition): (offset, most)
            for topic, partitions in request.topics
            for partition, offset, most in partitions
        }
        changes = session.changes(wanted)
        try:
            response = await self._send(
                node_id, _Incremental(request, changes, calm=session.calm), **options
            )
        except (Exception, asyncio.CancelledError):
            session.lost()
            raise
        session.answered(
            getattr(response, "session_id", 0),
            getattr(response, "error_code", 0),
            news=bool(response.topics),
        )
        return response
