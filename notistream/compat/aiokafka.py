"""Private parts of aiokafka: the long poll of a consumer, and fetch requests within a session."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct

Send = Callable[..., Awaitable[Any]]

SESSIONS_SINCE = 7
"""The version of the fetch request that has sessions."""


def set_long_poll(consumer: Any, wait_ms: int) -> None:
    """How long a broker may hold a fetch; Faust makes it 1.5 s, and has no setting for it."""
    consumer._fetch_max_wait_ms = wait_ms


def replace_send(consumer: Any, replacement: Callable[[Send], Send]) -> None:
    """Let `replacement(send)` send the requests of a consumer that has not started."""
    client = consumer._client
    client.send = replacement(client.send)


class SessionFetch(FetchRequest):  # type: ignore[misc] # aiokafka's types are not read
    """A fetch within a session: only what has changed travels.

    `topics` are (topic, [(partition, offset, most bytes), …]), `forgotten` (topic, [partition, …]).
    For a broker that is too old for sessions it stays the whole request.
    """

    def __init__(
        self,
        whole: FetchRequest,
        session: tuple[int, int],
        topics: Sequence[Any],
        forgotten: Sequence[Any],
        *,
        wait_ms: int | None,
    ) -> None:
        self.__dict__.update(whole.__dict__)  # its slots have no public names
        self._session = session
        self._changed = topics
        self._forgotten = forgotten
        if wait_ms is not None:
            self._max_wait_ms = wait_ms

    def build(self, request_struct_class: type[FetchRequestStruct]) -> FetchRequestStruct:
        """See `aiokafka.protocol.api.Request.build`."""
        if request_struct_class.API_VERSION < SESSIONS_SINCE:
            return super().build(request_struct_class)
        self._topics = self._changed
        built: Any = super().build(request_struct_class)
        built.session_id, built.session_epoch = self._session
        built.forgotten_topics_data = self._forgotten
        return built
