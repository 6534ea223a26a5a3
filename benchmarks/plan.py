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
    latency_s: float = 12.0
    latency_warm_s: float = 2.0
    usual_in_flight: int = 64
    emails: int = 5_000
    email_ms: int = 2
    slow_sms: int = 4_000
    slow_sms_ms: int = 200
    isolation_pairs: int = 2
    telemetry_pairs: int = 3
    telemetry_batch: int = 100
    low: int = 20_000
    high: int = 100
    high_rate: int = 50
    flood: int = 100_000
    flood_ms: int = 50
    probes: int = 5
    due: int = 20_000
    due_in_s: float = 6.0
    live_rate: int = 50
    live_s: float = 15.0
    counted: int = 100_000
    starts: int = 3
    worker_pairs: int = 2
    million: int = 1_000_000
    portion: int = 50_000

    @property
    def latency_count(self) -> int:
        return int(self.latency_rate * self.latency_s)


FULL = Plan()
QUICK = Plan(
    rounds=1,
    create_s=1.5,
    warm_s=0.5,
    backlog=4_000,
    latency_s=4.0,
    latency_warm_s=1.0,
    emails=1_000,
    slow_sms=1_500,
    isolation_pairs=1,
    telemetry_pairs=1,
    low=4_000,
    high=50,
    flood=15_000,
    due=4_000,
    due_in_s=4.0,
    live_s=6.0,
    counted=4_000,
    starts=1,
    worker_pairs=1,
    million=12_000,
    portion=4_000,
)
