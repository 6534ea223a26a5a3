"""Google access tokens, renewed before they end by one caller for all.

google-auth signs; our own session sends.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from notistream.providers.api import TemporaryError
from notistream.providers.http import MAX_ANSWER, open_session

PAUSE_S = 10.0
"""After a renewal that failed, while the old token is still good."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as google-auth wants it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class AccessTokens:
    """The token of one service account; google-auth renews it 3 min 45 s before its end."""

    def __init__(self, credentials: Any, *, setting: str, timeout_s: float) -> None:
        self._credentials = credentials
        self._setting = setting
        self._timeout_s = timeout_s
        self._renewal: asyncio.Task[str | None] | None = None
        self._pause_until = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def get(self) -> str:
        """A token that is good now; whoever needs a new one waits for the same renewal.

        Raises:
            TemporaryError: there is none, and why; nothing was sent.
        """
        if not self._credentials.valid:
            renewal = self._renew()
            if self._ended() and (fault := await asyncio.shield(renewal)):
                raise TemporaryError(fault)
        token = self._credentials.token
        if not token:
            raise TemporaryError("the access token was refused as soon as it was there")
        return str(token)

    def forget(self, token: str) -> None:
        """This token was refused; others may have renewed it already."""
        if self._credentials.token == token:
            self._credentials.token = None

    def _ended(self) -> bool:
        credentials = self._credentials
        now = datetime.now(UTC).replace(tzinfo=None)
        return not credentials.token or credentials.expiry is None or credentials.expiry <= now

    def _renew(self) -> asyncio.Task[str | None]:
        """The renewal under way, or a new one."""
        running = self._renewal is not None and not self._renewal.done()
        paused = time.monotonic() < self._pause_until and not self._ended()
        if self._renewal is None or not (running or paused):
            self._renewal = asyncio.create_task(self._refresh(asyncio.get_running_loop()))
        return self._renewal

    async def _refresh(self, loop: asyncio.AbstractEventLoop) -> str | None:
        """Renew the token; why that failed, in words, or None."""
        # Slow to import, and only FCM needs it.
        from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415

        transport_error: Any = TransportError  # which has no annotations

        def request(
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
            **_: object,
        ) -> Answer:
            """Called by google-auth in its thread; the pipeline retries, not google-auth."""
            try:
                answer = asyncio.run_coroutine_threadsafe(
                    self._request(method, url, body, headers), loop
                ).result(self._timeout_s)
            except (aiohttp.ClientError, OSError) as exc:
                raise transport_error(f"no connection: {type(exc).__name__}") from exc
            if answer.status == 429 or answer.status >= 500:
                raise transport_error(f"HTTP {answer.status}")
            return answer

        try:
            await asyncio.to_thread(self._credentials.refresh, request)
        except TransportError as exc:
            return self._failed(f"the token service does not answer ({exc.args[0]})")
        except (GoogleAuthError, ValueError) as exc:
            return self._failed(f"{self._setting} is refused by the token service ({_words(exc)})")
        return None

    def _failed(self, reason: str) -> str:
        self._pause_until = time.monotonic() + PAUSE_S
        return reason

    async def _request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        if self._session is None:
            self._session = open_session(url, timeout_s=self._timeout_s)
        async with (
            asyncio.timeout(self._timeout_s),
            self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response,
        ):
            return Answer(
                response.status, response.headers, await response.content.read(MAX_ANSWER)
            )

    async def aclose(self) -> None:
        """Close the connections, after a renewal under way: its thread cannot be stopped."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])
        if self._session is not None:
            await self._session.close()
            self._session = None


def load(info: Mapping[str, Any], scopes: Sequence[str]) -> Any:
    """Credentials of google-auth for the content of a service account's key file.

    Raises:
        ValueError: a field is missing, or its key cannot be read; the message shows no value of it.
    """
    from google.oauth2 import service_account  # noqa: PLC0415 - heavy, and only for FCM

    try:
        return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            info, scopes=scopes
        )
    except Exception as exc:  # noqa: BLE001 - what the libraries make of a broken key differs by the break
        raise ValueError(f"is no usable service account key ({type(exc).__name__})") from None


def _words(error: Exception) -> str:
    """OAuth's own word such as `invalid_grant`; the description may name the account."""
    details = error.args[1] if len(error.args) > 1 else None
    word = details.get("error") if isinstance(details, dict) else None
    return word if isinstance(word, str) else type(error).__name__
