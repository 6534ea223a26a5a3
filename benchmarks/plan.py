"""How much is measured: sizes of one run, full or quick."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes of a run; seconds where the name ends in `_s`."""

    rounds: int = 3
    create_s: float = 4.0
    warm_s: float = 1.0
    connections: int = 64
    backlog: int = 20_000
    batch_size: int = 1_000
    batch_connections: int = 4
    in_flight: int = 256
    latency_rate: int = 100
    latency_s: float = 20.0
    latency_warm_s: float = 2.0


FULL = Plan()
QUICK = Plan(rounds=1, create_s=1.5, warm_s=0.5, backlog=4_000, latency_s=4.0, latency_warm_s=1.0)
