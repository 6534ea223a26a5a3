"""server.properties and the Java options of the embedded Kafka."""

from collections.abc import Mapping

# The first compiler alone: up in 1.6 instead of 2.1 s on two cores, and no compile threads beside
# the workers.
JAVA_OPTIONS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    # What Kafka 4.1 still does and Java 25 warns about on every start.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
)
_MIB = 1024 * 1024


def broker_properties(
    *,
    host: str,
    node_id: int,
    port: int,
    controller_port: int,
    voters: Mapping[int, str],
    data_dir: str,
) -> dict[str, str]:
    """Return the settings of one node that is broker and controller.

    `voters`: node id to controller host:port.
    """
    replicas = min(len(voters), 3)
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(
            f"{node}@{address}" for node, address in voters.items()
        ),
        "log.dirs": data_dir,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        **_internal_topics(replicas=replicas, in_sync=max(1, replicas - 1)),
        **_small_footprint(),
        # A killed broker that comes back may register again only when its former session has ended.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }


def _internal_topics(*, replicas: int, in_sync: int) -> dict[str, str]:
    return {
        "offsets.topic.replication.factor": str(replicas),
        "offsets.topic.num.partitions": "8",
        "offsets.topic.segment.bytes": str(8 * _MIB),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        "transaction.state.log.num.partitions": "8",
        "transaction.state.log.segment.bytes": str(8 * _MIB),
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(in_sync),
    }


def _small_footprint() -> dict[str, str]:
    return {
        "log.segment.bytes": str(64 * _MIB),
        "log.index.size.max.bytes": str(_MIB),
        "log.segment.delete.delay.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(16 * _MIB),
        "metadata.log.segment.bytes": str(16 * _MIB),
        "metadata.max.retention.bytes": str(64 * _MIB),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
