"""Names of topics, without the prefix of the installation, and the header that events carry."""

from notistream.domain.notification import CHANNELS, Priority

EVENTS = "events"
NO_WEBHOOKS = ("webhooks", b"none")
"""The header of a record of events that no webhook endpoint is to be told of."""
USAGE_TABLE, STATS_TABLE = "recipient-usage", "channel-stats"
LANES: tuple[tuple[str, Priority], ...] = tuple((c, p) for c in CHANNELS for p in Priority)


def lane_topic(channel: str, priority: str) -> str:
    """Topic of a lane, without the prefix."""
    return f"{channel}.{priority}"


def retry_topic(channel: str) -> str:
    return f"{channel}.retry"


def changelog_topic(table: str) -> str:
    """Topic that a table is rebuilt from; Faust puts a dash, not a dot, after the prefix."""
    return f"{table}-changelog"


def dlq_topic(channel: str) -> str:
    return f"{channel}.dlq"


TOPICS: tuple[str, ...] = (
    *(lane_topic(c, p) for c, p in LANES),
    *(retry_topic(c) for c in CHANNELS),
    *(dlq_topic(c) for c in CHANNELS),
    EVENTS,
)


CHANGELOGS: tuple[str, ...] = (changelog_topic(USAGE_TABLE), changelog_topic(STATS_TABLE))
