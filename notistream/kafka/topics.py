"""Topics: created before Faust subscribes, and refused when they are not as configured.

Lanes `{channel}.{priority}`, retries `{channel}.retry`, dead letters `{channel}.dlq`, `events`, and
the changelogs of the tables. All have the same number of partitions, so that one recipient's
records of every kind, and its counts, meet in the same partition.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from notistream.errors import KafkaUnavailable, Misconfigured
from notistream.kafka import clients
from notistream.kafka.connection import Kafka
from notistream.kafka.refusal import refusal
from notistream.kafka.topic_names import CHANGELOGS, TOPICS

log = logging.getLogger(__name__)
DEFAULT_PARTITIONS = 4
"""Of a fresh installation whose TOPIC_PARTITIONS is unset; see docs/decisions/0048."""
SEEN_S = 5.0
FORGET_S = 30.0
"""Longer than a session, after which a broker forgets a member that has gone."""
NOBODY = ("Empty", "Dead")
RETRY_S = 1.0
RETENTION_MS = 7 * 24 * 3600 * 1000
DLQ_RETENTION_MS = 30 * 24 * 3600 * 1000
CHANGELOG_RETENTION_MS = 2 * 3600 * 1000  # the longest window is ten minutes
SEGMENT_MS = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it has to be."""

    name: str
    partitions: int
    replication: int
    retention_ms: int
    compacted: bool = False

    @property
    def configs(self) -> Mapping[str, str]:
        """The topic's own settings on the broker.

        With replicas, one of them may be away; with the broker's usual least of one, a record that
        only a single broker has would count as taken, and die with it.
        """
        found = {
            "retention.ms": str(self.retention_ms),
            "min.insync.replicas": str(max(self.replication - 1, 1)),
        }
        if self.compacted:
            found |= {"cleanup.policy": "compact,delete", "segment.ms": str(SEGMENT_MS)}
        return found


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is."""

    name: str
    partitions: int
    replication: int


class Layout(Protocol):
    """What decides how the topics of an installation are named and sized; settings are one."""

    @property
    def topic_prefix(self) -> str: ...
    @property
    def topic_partitions(self) -> int | None: ...
    @property
    def topic_replication(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TopicReport:
    """How many topics there are to be, of how many partitions, and what is wrong with them."""

    topics: int
    partitions: int
    faults: Sequence[str]


def specs(layout: Layout, partitions: int) -> list[TopicSpec]:
    """All topics of an installation, of so many partitions each."""
    prefix, size = layout.topic_prefix, (partitions, layout.topic_replication)
    return [
        *(TopicSpec(f"{prefix}.{name}", *size, _retention_ms(name)) for name in TOPICS),
        *(
            TopicSpec(f"{prefix}-{name}", *size, CHANGELOG_RETENTION_MS, compacted=True)
            for name in CHANGELOGS
        ),
    ]


async def prepare(kafka: Kafka, layout: Layout) -> int:
    """Wait for Kafka, then `ensure` the topics; how many partitions they have.

    Raises:
        Misconfigured: as `ensure`.
    """
    while True:
        try:
            created = await ensure(kafka, layout)
        except KafkaUnavailable as exc:
            log.warning("waiting for Kafka", extra={"error": exc.detail})
            await asyncio.sleep(RETRY_S)
        else:
            return created.partitions


def _retention_ms(name: str) -> int:
    return DLQ_RETENTION_MS if name.endswith(".dlq") else RETENTION_MS


@dataclass(frozen=True, slots=True)
class Created:
    """The topics that were missing, how many there are now, and of how many partitions."""

    names: Sequence[str]
    topics: int
    partitions: int


async def ensure(kafka: Kafka, layout: Layout) -> Created:
    """Create what is missing.

    Raises:
        KafkaUnavailable: no broker answered.
        Misconfigured: a topic exists with other partitions or replicas; says which and what to do.
    """
    async with _admin(kafka) as admin:
        wanted = await _wanted(admin, layout)
        created = await _create_missing(admin, wanted)
        _refuse_mismatches(await _states(admin, wanted), wanted)
    return Created(created, len(wanted), wanted[0].partitions)


async def report(kafka: Kafka, layout: Layout) -> TopicReport:
    """What `ensure` would create or refuse, in words; changes nothing.

    Raises:
        KafkaUnavailable: no broker answered.
    """
    async with _admin(kafka) as admin:
        wanted = await _wanted(admin, layout)
        states = await _seen(admin, wanted)
    there = {state.name for state in states}
    missing = [f"{spec.name} is missing" for spec in wanted if spec.name not in there]
    return TopicReport(len(wanted), wanted[0].partitions, [*missing, *_mismatches(states, wanted)])


async def _wanted(admin: AIOKafkaAdminClient, layout: Layout) -> list[TopicSpec]:
    """The topics in the size that is set; else in that of those that exist; else in the default."""
    if layout.topic_partitions is not None:
        return specs(layout, layout.topic_partitions)
    states = await _seen(admin, specs(layout, DEFAULT_PARTITIONS))
    return specs(layout, max((s.partitions for s in states), default=DEFAULT_PARTITIONS))


@asynccontextmanager
async def _admin(
    kafka: Kafka, *, request_timeout_ms: int = 10_000
) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for the block.

    Where Kafka fails in it, KafkaUnavailable says why, also of a refusal.
    """
    admin = clients.admin(kafka, request_timeout_ms=request_timeout_ms)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as exc:
        raise await _unavailable(kafka, exc) from exc
    finally:
        await admin.close()


async def _unavailable(kafka: Kafka, error: Exception) -> KafkaUnavailable:
    if why := await refusal(kafka):
        return KafkaUnavailable(f"Kafka at {why.detail}; {why.remedy}")
    return KafkaUnavailable(f"Kafka at {kafka} is not reachable: {error}")


async def grow(kafka: Kafka, wanted: Sequence[TopicSpec], *, group: str) -> list[str]:
    """Give every topic the partitions that it is to have, and create what is missing.

    The names changed.

    Safe to repeat: what a broken run has left is found and done. Waits until the broker has
    forgotten the workers that have stopped: one that comes back in its slot before gets its old
    partitions, and nobody the new ones.

    Raises:
        KafkaUnavailable: no broker answered, or one refused.
        Misconfigured: a topic has more partitions, which cannot be taken away, or other replicas;
          or workers run.
    """
    sizes = {spec.name: spec.partitions for spec in wanted}
    async with _admin(kafka, request_timeout_ms=30_000) as admin:
        created = await _create_missing(admin, wanted)
        states = await _states(admin, wanted)
        small = [state.name for state in states if state.partitions < sizes[state.name]]
        _refuse_mismatches([state for state in states if state.name not in small], wanted)
        if small:
            await _forgotten(admin, group)
            await admin.create_partitions({name: NewPartitions(sizes[name]) for name in small})
            await _states(admin, wanted, at_least=sizes)
    return [*created, *small]


async def _forgotten(admin: AIOKafkaAdminClient, group: str) -> None:
    until = time.monotonic() + FORGET_S
    while any(
        found[2] not in NOBODY
        for answer in await admin.describe_consumer_groups([group])
        for found in answer.groups
    ):
        if time.monotonic() > until:
            raise Misconfigured(
                f"the consumer group {group} still has members: stop the workers first"
            )
        await asyncio.sleep(0.2)


async def _create_missing(admin: AIOKafkaAdminClient, wanted: Sequence[TopicSpec]) -> list[str]:
    existing = set(await admin.list_topics())
    new = [spec for spec in wanted if spec.name not in existing]
    if not new:
        return []
    answer = await admin.create_topics(
        [NewTopic(s.name, s.partitions, s.replication, topic_configs=dict(s.configs)) for s in new]
    )
    for name, code, *rest in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise Misconfigured(
                f"topic {name} could not be created: {rest[0] if rest else error.__name__}"
            )
    return [spec.name for spec in new]


async def _states(
    admin: AIOKafkaAdminClient,
    wanted: Sequence[TopicSpec],
    *,
    at_least: Mapping[str, int] = MappingProxyType({}),
) -> list[TopicState]:
    """The wanted topics as they are, once the broker knows all of them; it needs a moment.

    It needs one for added partitions too: `at_least` names how many a topic has by now.
    """
    until = time.monotonic() + SEEN_S
    while True:
        states = await _seen(admin, wanted)
        known = [state for state in states if state.partitions >= at_least.get(state.name, 1)]
        if len(known) == len(wanted) or time.monotonic() > until:
            return states
        await asyncio.sleep(0.05)


async def _seen(admin: AIOKafkaAdminClient, wanted: Sequence[TopicSpec]) -> list[TopicState]:
    names = {spec.name for spec in wanted}
    return [
        state for state in _described(await clients.described_topics(admin)) if state.name in names
    ]


def _described(described: Sequence[Mapping[str, Any]]) -> list[TopicState]:
    return [
        TopicState(t["topic"], len(t["partitions"]), len(t["partitions"][0]["replicas"]))
        for t in described
        if t["partitions"]
    ]


def _mismatches(states: Sequence[TopicState], wanted: Sequence[TopicSpec]) -> list[str]:
    by_name = {spec.name: spec for spec in wanted}
    return [
        f"{state.name} has {state.partitions} partitions × {state.replication} replicas, "
        f"not {by_name[state.name].partitions} × {by_name[state.name].replication}"
        for state in states
        if (state.partitions, state.replication)
        != (by_name[state.name].partitions, by_name[state.name].replication)
    ]


def _refuse_mismatches(states: Sequence[TopicState], wanted: Sequence[TopicSpec]) -> None:
    if wrong := _mismatches(states, wanted):
        raise Misconfigured(
            f"{'; '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}. Set"
            " NOTISTREAM_TOPIC_PARTITIONS and NOTISTREAM_TOPIC_REPLICATION to what the topics"
            " have, or use another NOTISTREAM_TOPIC_PREFIX"
        )
