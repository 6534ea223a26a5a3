"""The contract that every provider keeps, as plain coroutines for any test runner.

Each raises AssertionError.

Run `await contract.CLAUSES[clause](subject)` for each clause on a fresh Subject.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted, Ambiguous, ProviderResult, Temporary
from notistream.domain.receipt import ProviderReceipt
from notistream.providers import faulty, guard
from notistream.providers.api import Callback, CallbackRefusedError, Provider, ReceivesCallbacks
from notistream.providers.faulty import Fault

CONCURRENT = 200
TIMEOUT_S = 30.0
IMPATIENT_S = 1.0
PATIENCE_S = 10.0
ENDLESS = (faulty.STALLED, faulty.SLOW_HEADERS)


class Vendor(Protocol):
    """A faithful local server of the vendor's protocol; `faulty.FaultyServer` is one for HTTP."""

    keys: list[str]
    """Idempotency keys of all requests that came, in order."""
    accepted: Counter[str]
    """How often each was accepted."""

    def play(self, *faults: Fault) -> None:
        """What happens to the next requests, one each."""

    @property
    def open_connections(self) -> int: ...

    @property
    def opened_connections(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """A callback as the vendor signs it, the receipts it contains, and forged callbacks."""

    genuine: Callback
    receipts: Sequence[ProviderReceipt]
    forged: Sequence[Callback]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A provider, the local server that it sends to, and what its vendor's errors must come to."""

    provider: Provider
    vendor: Vendor
    message: Message
    """One that the vendor accepts; each send of a clause has its own key."""
    refusals: Sequence[tuple[Fault, ProviderResult]]
    """Each class of the vendor's errors, and the result that it must give."""
    throttling: Callable[[str], Fault] = lambda retry_after: faulty.refused(
        429, retry_after=retry_after
    )
    """The vendor's refusal that carries this Retry-After."""
    expire: Callable[[], None] | None = None
    """From now on the vendor refuses the credentials that it took before."""
    renew: Callable[[], None] | None = None
    """What an operator or the vendor's token service does about it."""
    callbacks: Callbacks | None = None
    """For a provider that receives some."""
    secrets: Sequence[str] = ()
    """Credentials that must not be found in any log or reason."""

    def fresh(self) -> Message:
        """The message under another id and key."""
        id_ = uuid4()
        return replace(self.message, notification_id=id_, idempotency_key=str(id_))

    async def send(
        self, message: Message | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> ProviderResult:
        """One call through the guard, as the worker makes it."""
        return await guard.call(self.provider, message or self.fresh(), timeout_s=timeout_s)

    async def meet(self, fault: Fault) -> ProviderResult:
        """One call that meets a fault; with a short time limit if no answer comes."""
        self.vendor.play(fault)
        return await self.send(timeout_s=IMPATIENT_S if fault in ENDLESS else TIMEOUT_S)


async def success(subject: Subject) -> None:
    """A good message is taken once, under its key, with an id or None."""
    message = subject.fresh()
    result = await subject.send(message)
    assert isinstance(result, Accepted), result
    assert result.message_id is None or result.message_id, "an empty message id"
    assert subject.vendor.accepted == {message.idempotency_key: 1}, subject.vendor.accepted


async def each_error(subject: Subject) -> None:
    """Each of the vendor's errors gets its result, and the next message is sent all the same."""
    for fault, expected in subject.refusals:
        found = await subject.meet(fault)
        assert found == expected, f"{fault}: {found} instead of {expected}"
        assert isinstance(result := await subject.send(), Accepted), f"after {fault}: {result}"


async def retry_after(subject: Subject) -> None:
    """Retry-After is kept, as seconds or a date, and bounded."""
    for kind, (value, least) in faulty.retry_afters(datetime.now(UTC)).items():
        found = await subject.meet(subject.throttling(value))
        assert isinstance(found, Temporary), f"{kind}: {found}"
        assert found.throttled, f"{kind}: an outage, where the vendor only wants fewer calls"
        assert found.retry_after_s is not None, kind
        assert least <= found.retry_after_s <= 3600, f"{kind}: {found.retry_after_s}"


async def timeout(subject: Subject) -> None:
    """A missing answer leaves the outcome unknown; the next message is sent all the same."""
    await _unknown(subject, faulty.STALLED)


async def slow_headers(subject: Subject) -> None:
    """An answer that drips in leaves the outcome unknown."""
    await _unknown(subject, faulty.SLOW_HEADERS)


async def reset(subject: Subject) -> None:
    """A connection that breaks after the request leaves the outcome unknown."""
    await _unknown(subject, faulty.RESET)


async def _unknown(subject: Subject, fault: Fault) -> None:
    found = await subject.meet(fault)
    assert isinstance(found, Ambiguous), f"{fault}: {found}"
    assert isinstance(found := await subject.send(), Accepted), f"after {fault}: {found}"


async def malformed(subject: Subject) -> None:
    """An accepted message stays accepted, even if the answer's body is unreadable."""
    await _accepted(subject, faulty.MALFORMED)


async def broken_answer(subject: Subject) -> None:
    """An accepted message stays accepted, even if the answer breaks off."""
    await _accepted(subject, faulty.BROKEN_ANSWER)


async def _accepted(subject: Subject, fault: Fault) -> None:
    found = await subject.meet(fault)
    assert isinstance(found, Accepted), f"{fault}: {found}"


async def expiry(subject: Subject) -> None:
    """A message waits while the credentials are refused, and is sent once they are good."""
    assert subject.expire is not None, "say how credentials expire, or leave this clause out"
    assert subject.renew is not None
    assert isinstance(await subject.send(), Accepted)
    subject.expire()
    found = await subject.send()
    assert isinstance(found, Temporary), found
    assert not found.throttled
    subject.renew()
    assert isinstance(found := await subject.send(), Accepted), found


async def concurrent(subject: Subject) -> None:
    """200 at once: each is taken exactly once."""
    messages = [subject.fresh() for _ in range(CONCURRENT)]
    results = await asyncio.gather(*(subject.send(message) for message in messages))
    assert all(isinstance(result, Accepted) for result in results), Counter(map(type, results))
    assert subject.vendor.accepted == {message.idempotency_key: 1 for message in messages}


async def idempotency_key(subject: Subject) -> None:
    """The same message goes out under the same key, and another under another."""
    message = subject.fresh()
    for each in (message, message, subject.fresh()):
        await subject.send(each)
    first, again, other = subject.vendor.keys
    assert first == again == message.idempotency_key
    assert other != first


async def close(subject: Subject) -> None:
    """`aclose` releases every connection; a later send opens one again."""
    await asyncio.gather(*(subject.send() for _ in range(10)))
    await subject.provider.aclose()
    await _until(
        lambda: subject.vendor.open_connections == 0, "connections are left open after aclose"
    )
    assert isinstance(await subject.send(), Accepted)
    await subject.provider.aclose()
    await subject.provider.aclose()


async def reuse(subject: Subject) -> None:
    """Connections are kept and used again."""
    for _ in range(20):
        assert isinstance(await subject.send(), Accepted)
    assert subject.vendor.opened_connections <= 1, (
        f"{subject.vendor.opened_connections} connections for 20 sends"
    )


async def callbacks(subject: Subject) -> None:
    """A repeated callback gives the same receipts, and a forged one is refused."""
    if not isinstance(subject.provider, ReceivesCallbacks):
        return
    given = subject.callbacks
    assert given, "give callbacks as the vendor signs them"
    assert given.receipts, "a callback without a receipt shows nothing"
    for _ in range(2):
        found = await subject.provider.receipts(given.genuine)
        assert list(found) == list(given.receipts), found
    for forged in given.forged:
        with suppress(CallbackRefusedError):
            found = await subject.provider.receipts(forged)
            raise AssertionError(f"a forged callback was read as {found}")


async def secrets(subject: Subject) -> None:
    """No credential is in any log line or reason, however a call ends."""
    assert subject.secrets, "name the credentials, or leave this clause out"
    faults = [fault for fault, _ in subject.refusals] + [
        faulty.STALLED,
        faulty.RESET,
        faulty.MALFORMED,
        faulty.SERVED,
    ]
    with _logged() as lines:
        for fault in faults:
            lines.append(repr(await subject.meet(fault)))
        lines.extend(map(repr, await subject.provider.check()))
        if subject.expire and subject.renew:
            subject.expire()
            lines.append(repr(await subject.send()))
            lines.extend(map(repr, await subject.provider.check()))
            subject.renew()
    lines.append(repr(subject.provider))
    text = "\n".join(lines)
    assert not [secret for secret in subject.secrets if secret in text], (
        "a credential is in the log"
    )
    assert subject.message.content not in text, "the text of a message is in the log"


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Everything that is logged meanwhile: all levels, extra fields and tracebacks."""
    lines: list[str] = []
    formatter = logging.Formatter()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{formatter.format(record)} {record.__dict__!r}")

    root, handler = logging.getLogger(), Keep()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


async def _until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, complaint
        await asyncio.sleep(0.02)


Clause = Callable[[Subject], Awaitable[None]]
CLAUSES: Mapping[str, Clause] = {
    clause.__name__: clause
    for clause in (
        success,
        each_error,
        retry_after,
        timeout,
        slow_headers,
        reset,
        malformed,
        broken_answer,
        expiry,
        concurrent,
        idempotency_key,
        close,
        reuse,
        callbacks,
        secrets,
    )
}
