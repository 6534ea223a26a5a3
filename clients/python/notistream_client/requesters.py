"""Send calls, blocking and asynchronous; what to repeat is decided in `retries`."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import httpx

from notistream_client import loading
from notistream_client.answers import Problem
from notistream_client.call import Call, content_of, headers_of, query_of
from notistream_client.errors import ApiError, UnexpectedAnswer, Unreachable, refusal
from notistream_client.retries import HttpResult, Retries, next_wait_s, retry_after_s

T = TypeVar("T")
SHOWN = 200


class Requester:
    """Sends calls and blocks until they end."""

    def __init__(self, http: httpx.Client, retries: Retries) -> None:
        self._http = http
        self._retries = retries

    def send(self, call: Call[T]) -> T:
        """The answer. Raises ClientError."""
        request = self._http.build_request(**_prepared(call))
        for attempt in count(1):
            result: HttpResult
            try:
                result = self._http.send(request)
            except httpx.RequestError as exc:
                result = exc
            wait_s = _wait_s(call, result, attempt=attempt, retries=self._retries)
            if wait_s is None:
                return ended(call, result, attempts=attempt)
            time.sleep(wait_s)
        raise AssertionError("counting has no end")

    def close(self) -> None:
        self._http.close()


class AsyncRequester:
    """Sends calls asynchronously."""

    def __init__(self, http: httpx.AsyncClient, retries: Retries) -> None:
        self._http = http
        self._retries = retries

    async def send(self, call: Call[T]) -> T:
        """The answer. Raises ClientError."""
        request = self._http.build_request(**_prepared(call))
        for attempt in count(1):
            result: HttpResult
            try:
                result = await self._http.send(request)
            except httpx.RequestError as exc:
                result = exc
            wait_s = _wait_s(call, result, attempt=attempt, retries=self._retries)
            if wait_s is None:
                return ended(call, result, attempts=attempt)
            await asyncio.sleep(wait_s)
        raise AssertionError("counting has no end")

    async def close(self) -> None:
        await self._http.aclose()


def _prepared(call: Call[Any]) -> Mapping[str, Any]:
    """The request, made once per call: every attempt sends the same bytes and the same key."""
    return {
        "method": call.method,
        "url": call.path,
        "params": query_of(call),
        "content": content_of(call),
        "headers": headers_of(call),
    }


def _wait_s(call: Call[Any], result: HttpResult, *, attempt: int, retries: Retries) -> float | None:
    return next_wait_s(
        call,
        result,
        attempt=attempt,
        retries=retries,
        jitter=random.random(),  # noqa: S311
        now=datetime.now(UTC),
    )


def ended(call: Call[T], result: HttpResult, *, attempts: int) -> T:
    """The value that the call returns.

    Raises:
        ApiError: The service refused the call.
        Unreachable: There was no answer.
        UnexpectedAnswer: The answer cannot be read.
    """
    if isinstance(result, httpx.RequestError):
        what = str(result) or type(result).__name__
        raise Unreachable(f"{call.method} {call.path}: {what} (attempts: {attempts})") from result
    if not result.is_success:
        raise refused(
            result.status_code,
            result.content,
            attempts=attempts,
            retry_after_s=retry_after_s(result, now=datetime.now(UTC)),
        )
    return call.read(_json(result.content) if result.content else None)


def refused(
    status: int, content: bytes, *, attempts: int = 1, retry_after_s: float | None = None
) -> ApiError:
    """The error for a refusal, also if a proxy sent it."""
    try:
        problem = loading.one(Problem)(_json(content))
    except UnexpectedAnswer:
        problem = Problem(
            code="unexpected_answer", status=status, detail=content[:SHOWN].decode(errors="replace")
        )
    return refusal(problem, attempts=attempts, retry_after_s=retry_after_s)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as exc:
        raise UnexpectedAnswer(
            f"the answer is not JSON: {content[:SHOWN].decode(errors='replace')}"
        ) from exc
