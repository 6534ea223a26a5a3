"""The guard around a provider call: time limit, judgement of raw errors, metrics. Never raises."""

import asyncio
import logging
import time
import traceback
from dataclasses import replace
from functools import cache

import aiohttp
from prometheus_client import Counter, Histogram

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted, Ambiguous, Permanent, ProviderResult, Temporary
from notistream.observability import metrics, tracing
from notistream.providers.api import PermanentError, Provider, TemporaryError

log = logging.getLogger(__name__)

NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError)
MAYBE_SENT = (TimeoutError, aiohttp.ClientError, OSError)


async def call(provider: Provider, message: Message, *, timeout_s: float) -> ProviderResult:
    """One call; every way it can end is a value."""
    started = time.perf_counter()
    with tracing.within(f"send {provider.name}", kind=tracing.CLIENT) as span:
        if span.traceparent:
            message = replace(message, traceparent=span.traceparent)
        result = await _judged(provider, message, timeout_s)
        span.note(provider=provider.name, result=type(result).__name__.lower())
        if not isinstance(result, Accepted):
            span.failed(type(result).__name__.lower())
    _seconds(message.channel, provider.name).observe(time.perf_counter() - started)
    _calls(message.channel, provider.name, type(result).__name__.lower()).inc()
    return result


@cache
def _seconds(channel: str, provider: str) -> Histogram:
    return metrics.PROVIDER_SECONDS.labels(channel, provider)


@cache
def _calls(channel: str, provider: str, outcome: str) -> Counter:
    return metrics.PROVIDER_CALLS.labels(channel, provider, outcome)


async def _judged(provider: Provider, message: Message, timeout_s: float) -> ProviderResult:
    try:
        async with asyncio.timeout(timeout_s):
            return await provider.send(message)
    except TemporaryError as exc:
        return Temporary(exc.reason, exc.retry_after_s, exc.throttled)
    except PermanentError as exc:
        return Permanent(exc.reason, exc.dead_address)
    except NOT_SENT as exc:
        return Temporary(f"no connection: {_words(exc)}")
    except MAYBE_SENT as exc:
        return Ambiguous(f"no answer: {_words(exc)}")
    except Exception as exc:  # noqa: BLE001 - a defect of a provider, and the call was perhaps made
        where = "".join(traceback.format_tb(exc.__traceback__))
        # Without the error's own words, which may have credentials in them.
        log.error(  # noqa: TRY400
            "a provider raised an unexpected error",
            extra={
                "provider": provider.name,
                "error": type(exc).__name__,
                "where": where,
            },
        )
        return Ambiguous(f"provider error: {type(exc).__name__}")


def _words(error: BaseException) -> str:
    return "timed out" if isinstance(error, TimeoutError) else f"{type(error).__name__}"
