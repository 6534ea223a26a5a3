"""The devices of a recipient: one attempt sends a push message to all of them at once."""

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
    """What the calls of one attempt came to: together, each in the trace, and dead tokens."""

    result: ProviderResult
    steps: Sequence[Step]
    dead: tuple[str, ...]


class Devices:
    """Sends one message to every device of its recipient, side by side."""

    def __init__(self, dispatcher: Dispatcher, *, clock: Callable[[], float]) -> None:
        self._dispatcher = dispatcher
        self._clock = clock

    async def send(
        self, provider: str, message: Message, claimed: Claimed, permit: Permit
    ) -> Called:
        """Call the provider for each device, with an idempotency key of the device.

        Each call takes a token of the rate; the permit has that of the first, and a test message
        needs none. A device has the same key in every attempt, so that a provider that honours
        keys shows the message once.
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
        return await self._dispatcher.send(provider, message)


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
    """Delivered where one device accepted; else unknown where one is; else temporary where one is.

    The message is refused only where every device refused it.
    """
    for kind in (Accepted, Ambiguous, Temporary):
        found = [result for result in results if isinstance(result, kind)]
        if found:
            return max(found, key=_retry_after_s)
    return results[0]


def _retry_after_s(result: ProviderResult) -> float:
    """Of several temporary refusals the longest wait counts."""
    return result.retry_after_s or 0.0 if isinstance(result, Temporary) else 0.0
