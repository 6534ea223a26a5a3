"""JSON shapes of probes and figures, and what fills them."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.stats import ChannelTotals


class ChannelFigures(TypedDict):
    """Deliveries and final failures; latency from creation to acceptance by the provider."""

    sent: int
    failed: int
    avg_latency_ms: float
    success_rate: Annotated[
        float, Field(description="Per cent of those that ended; 0 where none has.")
    ]


class Figures(TypedDict):
    """Every channel, zeros included."""

    channels: Mapping[str, ChannelFigures]


class Liveness(TypedDict):
    """The process answers."""

    status: str


class ReadinessView(TypedDict):
    """Each dependency: `healthy`, or what is wrong."""

    status: str
    checks: Mapping[str, str]


def figures(totals: Mapping[str, ChannelTotals]) -> Figures:
    return {
        "channels": {
            name: {
                "sent": t.sent,
                "failed": t.failed,
                "avg_latency_ms": t.avg_latency_ms,
                "success_rate": t.success_rate,
            }
            for name, t in totals.items()
        }
    }
