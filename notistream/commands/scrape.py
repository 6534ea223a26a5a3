"""The /metrics of all processes of an installation, reduced to what an operator reads first."""

import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from notistream.domain.attention import Situation

TIMEOUT_S = 2.0
P = "notistream_"
BREAKERS = {0: "closed", 1: "half-open", 2: "open"}

Labels = tuple[tuple[str, str], ...]
Samples = Mapping[str, Mapping[Labels, float]]


@dataclass(slots=True)
class LaneFigures:
    """Sums over all workers: in flight and waiting in the lane; and what waits on Kafka."""

    in_flight: float = 0.0
    waiting: float = 0.0
    lag: float = 0.0
    oldest_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at an installation; counters are totals, so that two looks make rates."""

    processes: Mapping[str, bool]
    """By address: whether it answered."""
    lanes: Mapping[str, LaneFigures]
    accepted: float
    ended: Mapping[str, float]
    """Deliveries by the status that they led to."""
    duplicates: float
    breakers: Mapping[str, str]
    """By channel/provider: those that are not closed on every worker."""
    dead_letters: Mapping[str, float]
    outbox: float
    outbox_oldest_s: float
    late_s: float
    audit_missing: float
    stalled: float
    loop_lag_s: float = field(default=0.0)


def scrape(url: str) -> str | None:
    """The text of /metrics; None where nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=TIMEOUT_S) as answer:  # noqa: S310 - the operator's own
            text: str = answer.read().decode()
            return text
    except (OSError, ValueError):
        return None


def samples(text: str) -> Samples:
    """Values by name and labels; names as they are on the wire."""
    found: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def view(texts: Mapping[str, str | None]) -> View:
    """One look, from the /metrics of each address."""
    seen = [samples(text) for text in texts.values() if text is not None]
    return View(
        processes={url: text is not None for url, text in texts.items()},
        lanes=_lanes(seen),
        accepted=_sum(seen, "accepted_total"),
        ended=_by(seen, "finished_total", "status"),
        duplicates=_sum(seen, "possible_duplicates_total"),
        breakers=_breakers(seen),
        dead_letters={
            channel: count
            for channel, count in _most(seen, "dead_letters", "channel").items()
            if count
        },
        outbox=_max(seen, "outbox_entries"),
        outbox_oldest_s=_max(seen, "outbox_oldest_seconds"),
        late_s=_max(seen, "scheduler_lateness_seconds"),
        audit_missing=_max(seen, "audit_missing"),
        stalled=_sum(seen, "partitions_stalled"),
        loop_lag_s=_max(seen, "event_loop_lag_seconds"),
    )


def situation(now: View) -> Situation:
    """What of a look may need attention."""
    return Situation(
        silent=[url for url, there in now.processes.items() if not there],
        breakers=now.breakers,
        dead_letters={channel: int(count) for channel, count in now.dead_letters.items()},
        stalled=int(now.stalled),
        audit_missing=int(now.audit_missing),
        outbox_oldest_s=now.outbox_oldest_s,
        late_s=now.late_s,
        oldest_s={_channel_and_priority(name): lane.oldest_s for name, lane in now.lanes.items()},
    )


def _channel_and_priority(lane: str) -> tuple[str, str]:
    channel, _, priority = lane.partition(".")
    return channel, priority


def _lanes(seen: Sequence[Samples]) -> Mapping[str, LaneFigures]:
    """Sums of what each worker has; the largest of what all report alike about Kafka."""
    lanes: defaultdict[str, LaneFigures] = defaultdict(LaneFigures)
    for found in seen:
        for labels, value in found.get(P + "lane_in_flight", {}).items():
            lanes[_lane(labels)].in_flight += value
        for labels, value in found.get(P + "lane_waiting", {}).items():
            lanes[_lane(labels)].waiting += value
        for labels, value in found.get(P + "consumer_lag_records", {}).items():
            lanes[_lane(labels)].lag = max(lanes[_lane(labels)].lag, value)
        for labels, value in found.get(P + "queue_oldest_seconds", {}).items():
            lanes[_lane(labels)].oldest_s = max(lanes[_lane(labels)].oldest_s, value)
    return lanes


def _lane(labels: Labels) -> str:
    named = dict(labels)
    return f"{named['channel']}.{named['priority']}"


def _breakers(seen: Sequence[Samples]) -> Mapping[str, str]:
    worst: dict[str, float] = {}
    for labels, value in _values(seen, "breaker_state"):
        named = dict(labels)
        place = f"{named['channel']}/{named['provider']}"
        worst[place] = max(worst.get(place, 0.0), value)
    return {place: BREAKERS.get(int(value), "?") for place, value in sorted(worst.items()) if value}


def _values(seen: Sequence[Samples], name: str) -> Iterable[tuple[Labels, float]]:
    for found in seen:
        yield from found.get(P + name, {}).items()


def _sum(seen: Sequence[Samples], name: str) -> float:
    return sum(value for _, value in _values(seen, name))


def _max(seen: Sequence[Samples], name: str) -> float:
    return max((value for _, value in _values(seen, name)), default=0.0)


def _by(seen: Sequence[Samples], name: str, label: str) -> Mapping[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for labels, value in _values(seen, name):
        found[dict(labels)[label]] += value
    return found


def _most(seen: Sequence[Samples], name: str, label: str) -> Mapping[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for labels, value in _values(seen, name):
        found[dict(labels)[label]] = max(found[dict(labels)[label]], value)
    return found
