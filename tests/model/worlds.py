"""The bounds within which the protocol is explored, and what breaks when one of its protections is
missing.
"""

from tests.model.protocol import World
from tests.model.state import Budget

SOME = ("delivered", "temporary", "unknown, taken")
WORLDS = {
    "faults": World(Budget(crashes=1, pauses=1, gates=1), max_retries=1, timers=False),
    "two crashes": World(Budget(crashes=2, parks=1), max_retries=2, answers=SOME),
    "held unknown": World(
        Budget(crashes=1, pauses=1, resolves=1), hold=True, max_retries=1, answers=SOME
    ),
    "cancel and replay": World(
        Budget(crashes=1, cancels=1, replays=1, parks=1),
        max_retries=1,
        answers=("delivered", "permanent"),
    ),
    "zombies and people": World(
        Budget(pauses=1, cancels=1, replays=1),
        max_retries=0,
        answers=("delivered", "unknown, taken"),
    ),
    "reschedule": World(
        Budget(pauses=1, reschedules=1, gates=1, cancels=1),
        schedules=True,
        max_retries=1,
        answers=("delivered",),
    ),
    "two messages": World(
        Budget(crashes=1, rebalances=1),
        messages=2,
        max_retries=0,
        answers=("delivered", "unknown, taken"),
        timers=False,
    ),
    "stale copies": World(
        Budget(crashes=1, cancels=1),
        max_retries=1,
        answers=("delivered", "temporary"),
        forgets_stale=False,
    ),
    "Kafka forgets": World(
        Budget(crashes=1, losses=1, lost_leases=1, gates=1), max_retries=1, answers=SOME, audit=True
    ),
}
LOST, BOUND, COUNTED = (
    "1: accepted is never lost",
    "2: duplicates are bounded by the faults between a call and its record",
    "2: every duplicate is counted",
)
CANCELLED, SILENT = "3: cancelled is never sent", "4: nothing is silent"
FINAL, FENCE, STALE = "an end is final", "a claim is nobody else's", "a stale copy claims nothing"
MUTATIONS = {
    "outbox": ("two messages", LOST),
    "leftovers are taken": ("faults", LOST),
    "deleted after the broker's answer": ("faults", LOST),
    "acknowledged after the claim": ("two messages", LOST),
    "acknowledged in order": ("two messages", LOST),
    "scheduler": ("faults", LOST),
    "sweeper": ("faults", LOST),
    "audit": ("Kafka forgets", LOST),
    "lease outlives a living call": ("two crashes", BOUND),
    "no call under an old lease": ("faults", BOUND),
    "an attempt without an answer counts": ("faults", COUNTED),
    "replay begins a chain": ("zombies and people", CANCELLED),
    "claim looks at the status": ("stale copies", CANCELLED),
    "cancel loses against the claim": ("cancel and replay", CANCELLED),
    "every end has a reason": ("cancel and replay", SILENT),
    "a dead letter with the failure": ("cancel and replay", SILENT),
    "finish looks at the token": ("faults", FENCE),
    "late success only while unclaimed": ("faults", FENCE),
    "an end is final": ("cancel and replay", FINAL),
    "claim looks at seq": ("stale copies", STALE),
}

TRACED = {
    "answers": World(Budget(gates=1), max_retries=2),
    "zombies": World(
        Budget(pauses=1, cancels=1), max_retries=2, answers=("delivered", "temporary"), timers=False
    ),
    "held unknown": World(
        Budget(pauses=1, resolves=1),
        hold=True,
        max_retries=2,
        answers=("delivered", "unknown, taken"),
        timers=False,
    ),
    "cancel and replay": World(
        Budget(crashes=1, cancels=1, replays=1, parks=1),
        max_retries=2,
        answers=("delivered", "permanent"),
    ),
    "zombies and people": World(
        Budget(pauses=1, cancels=1, replays=1), max_retries=2, answers=("delivered",), timers=False
    ),
    "reschedule": World(
        Budget(reschedules=1, gates=1, cancels=1),
        schedules=True,
        max_retries=2,
        answers=("delivered",),
    ),
    "zombies and reschedule": World(
        Budget(pauses=1, reschedules=1), max_retries=2, answers=("delivered",), timers=False
    ),
    "stale copies": World(
        Budget(crashes=1, cancels=1),
        max_retries=2,
        answers=("delivered",),
        timers=False,
        forgets_stale=False,
    ),
    "two messages": World(
        Budget(crashes=1), messages=2, max_retries=2, answers=("delivered",), timers=False
    ),
    "Kafka forgets": World(
        Budget(losses=1, lost_leases=1),
        max_retries=2,
        answers=("delivered",),
        audit=True,
        timers=False,
    ),
}
"""Smaller, with the retries of priority `low`, so that the database can follow every step."""
