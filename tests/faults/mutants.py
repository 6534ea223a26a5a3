"""Mutants: the product with one protection switched off from outside.

There is no setting for any of this. Each mutant names functions, and words of statements; one that
is not there any more ends the process, so that no mutant does nothing without anybody knowing.

`FAULTS_MUTANT=claim python -m tests.faults.mutants api` puts the change in place before the command
line starts.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

MUTANT = "FAULTS_MUTANT"
ENDLESS = timedelta(days=365)


def chosen() -> Sequence[str]:
    """The module that runs the product in this session."""
    return ("tests.faults.mutants",) if os.environ.get(MUTANT) else ("notistream",)


def put(owner: Any, name: str, instead: Any) -> Any:
    """Put something in the place of an attribute of a module or class; what was there.

    Raises:
        SystemExit: there is no such attribute.
    """
    if not hasattr(owner, name):
        raise SystemExit(f"mutant: {owner} has no {name} any more")
    former = getattr(owner, name)
    setattr(owner, name, instead)
    return former


def say(module: Any, statement: str, words: str, instead: str) -> None:
    """Let a statement of a module of `notistream.db` say something else.

    Raises:
        SystemExit: there is no such statement, or it does not hold the words.
    """
    former = module.SQL.get(statement)
    if former is None or words not in former.text:
        raise SystemExit(
            f"mutant: {statement} of {module.__name__} does not say {words!r} any more"
        )
    changed = replace(former, text=former.text.replace(words, instead))
    module.SQL = {**module.SQL, statement: changed}


def outbox() -> None:
    """What is committed leaves nothing behind for Kafka: it is published once, by whoever accepted
    it, or never.
    """
    from notistream.db import notifications, outbox
    from notistream.db.pool import Database

    async def forgetful(db: Any, new: Any, **options: Any) -> Any:
        created = await create(db, new, **options)
        await db.fetch("RESET ROLE")  # a tenant's own role may not delete entries
        await outbox.delete(db, [entry.id for entry in created.entries])
        if not isinstance(db, Database):
            await db.fetch("SET LOCAL ROLE notistream_tenant")
        return created

    create = put(notifications, "create", forgetful)


def claim() -> None:
    """Whatever a record says is sent, although it was claimed or sent before."""
    from notistream.db import deliveries

    sendable = "n.status IN ('pending', 'delivered', 'retrying')"
    say(deliveries, "claim", "n.status = 'pending' AND n.seq = m.seq", sendable)


def acknowledgement() -> None:
    """A record is acknowledged as soon as it is settled, whatever is before it.

    Nor is parked what waits: on a slow machine that would settle the one before in time.
    """
    from notistream.delivery import lanes
    from notistream.delivery.acknowledgement import InOrder

    put(lanes, "LONGEST_WAIT_S", 600.0)
    put(InOrder, "add", lambda _self, _partition, acknowledge, _abandon: acknowledge)


def lease() -> None:
    """A claim never ends, and a slot does not take over what its former process had claimed."""
    from notistream.db import deliveries

    async def for_ever(db: Any, turns: Any, *, lease: Any, **options: Any) -> Any:
        return await claim(db, turns, lease=ENDLESS, **options)

    async def nobodys(db: Any, *, limit: int, owner: int | None = None) -> Any:
        return await ended(db, limit=limit)

    claim = put(deliveries, "claim", for_ever)
    ended = put(deliveries, "lock_ended_leases", nobodys)


def fence() -> None:
    """A delivery is finished by whoever comes, also under a token that is no longer its own."""
    from notistream.db import deliveries

    say(deliveries, "finish", "AND n.lease_token = f.token", "")


def sweeper() -> None:
    """Nobody publishes what was left in the outbox, and nobody ends a lease while working."""
    from notistream.recording.upkeep import Upkeep

    async def nothing(_self: Any) -> int:
        return 0

    async def of_its_slot(self: Any, *, owner: int | None = None) -> int:
        return 0 if owner is None else await end_leases(self, owner=owner)

    put(Upkeep, "republish", nothing)
    end_leases = put(Upkeep, "end_leases", of_its_slot)


def scheduler() -> None:
    """Nobody queues what is due but timers."""
    from notistream.recording.upkeep import Upkeep

    async def nothing(_self: Any) -> int:
        return 0

    put(Upkeep, "queue_due", nothing)


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (outbox, claim, acknowledgement, lease, fence, sweeper, scheduler)
}


def switch_off() -> None:
    """Apply the mutant of this session, if there is one."""
    if name := os.environ.get(MUTANT):
        MUTANTS[name]()


if __name__ == "__main__":
    from notistream.commands import cli

    switch_off()
    cli()
