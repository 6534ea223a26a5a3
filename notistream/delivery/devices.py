"""The devices of a recipient: a push message goes to all of them at once, within one attempt."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from notistream.delivery.ports import Dispatcher, Message, Permit
from notistream.domain.notification import Claimed
from notistream.domain.outcome import (
    Accepted,
    Ambiguous,
    Permanent,
    ProviderResult,
    Step,
    Temporary,
)
from notistream.domain.recipient import device_mark

VERDICTS = {
    Accepted: "delivered",
    Temporary: "temporary",
    Permanent: "permanent",
    Ambiguous: "unknown",
}


@dataclass(frozen=True, slots=True)
class Called:
    """What the calls of one attempt came to together, a line of the trace for each, and tokens that are dead."""

    result: ProviderResult
    steps: Sequence[Step]
    dead: tuple[str, ...]


class Devices:
    """Sends one message to every device of its recipient, side by side."""

    def __init__(self, sender: Dispatcher, *, clock: Callable[[], float]) -> None:
        self._sender = sender
        self._clock = clock

    async def send(
        self, provider: str, message: Message, claimed: Claimed, permit: Permit
    ) -> Called:
        """Each device is a call with a token of the rate and an idempotency key of its own.

        The first has its token.

        A test message needs none.

        The key is the same whenever this device is tried, so that a provider that honours it shows
        the message once.
        """
        results = await asyncio.gather(
            *(
                self._call(
                    provider,
                    _addressed(message, device),
                    claimed,
                    permit if others and not claimed.test else None,
                )
                for others, device in enumerate(claimed.devices)
            )
        )
        return Called(
            result=combined(results),
            steps=[
                _step(device, result)
                for device, result in zip(claimed.devices, results, strict=True)
            ],
            dead=tuple(
                device
                for device, result in zip(claimed.devices, results, strict=True)
                if isinstance(result, Permanent) and result.dead_address
            ),
        )

    async def _call(
        self, provider: str, message: Message, claimed: Claimed, permit: Permit | None
    ) -> ProviderResult:
        if permit is not None and not await permit.another():
            return Temporary("not called: the rate of the provider is used up", throttled=True)
        if self._clock() >= claimed.call_before:
            return Temporary("not called: the lease was too old", throttled=True)
        return await self._sender.send(provider, message)


def _addressed(message: Message, device: str) -> Message:
    return replace(
        message,
        recipient=device,
        idempotency_key=f"{message.idempotency_key}:{device_mark(device)}",
    )


def _step(device: str, result: ProviderResult) -> Step:
    reason = "accepted" if isinstance(result, Accepted) else result.reason
    return Step(
        gate="device",
        verdict=VERDICTS[type(result)],
        reason=reason,
        inputs={
            "device": device_mark(device),
            **(
                {"message_id": result.message_id}
                if isinstance(result, Accepted) and result.message_id
                else {}
            ),
        },
    )


def combined(results: Sequence[ProviderResult]) -> ProviderResult:
    """One accepted is delivered; else one that nobody knows of is unknown.

    Else one that may go later is temporary.

    Only where every device refused, the message is refused.
    """
    for kind in (Accepted, Ambiguous, Temporary):
        found = [result for result in results if isinstance(result, kind)]
        if found:
            return max(found, key=_retry_after_s)
    return results[0]


def _retry_after_s(result: ProviderResult) -> float:
    """Of several temporary refusals the one that asks for the longest wait speaks for all."""
    return result.retry_after_s or 0.0 if isinstance(result, Temporary) else 0.0
