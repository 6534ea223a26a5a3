"""AWS: credentials from the settings or from where botocore looks, and signed requests."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notistream.providers.api import TemporaryError

LOOK_S = 4.0
WHERE = (
    "set NOTISTREAM_SES_ACCESS_KEY_ID and SECRET_ACCESS_KEY, or use AWS's own variables, files or"
    " roles"
)


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """Keys from the settings; `token` is there where they are for a session only."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "StaticKeys(…)"


class Credentials:
    """What requests are signed with; kept until it ends, or until `forget`."""

    def __init__(self, static: StaticKeys | None) -> None:
        self._static = static
        self._found: Any = None
        self._lock = asyncio.Lock()

    async def current(self) -> Any:
        """An object that botocore signs with.

        Looked for, and renewed, by one caller at a time in a thread.

        Raises:
            TemporaryError: there are none.
        """
        if self._static is not None:
            return self._static
        found = self._found
        if found is None or _ends(found):
            try:
                async with asyncio.timeout(LOOK_S), self._lock:
                    found = await self._renewed()
            except TimeoutError:
                raise TemporaryError("no AWS credentials were found in time") from None
        return found.get_frozen_credentials()

    async def _renewed(self) -> Any:
        self._found = self._found or await asyncio.to_thread(_look)
        if self._found is None:
            raise TemporaryError(f"no AWS credentials were found; {WHERE}")
        if _ends(self._found):
            await asyncio.to_thread(_renew, self._found)
        return self._found

    def forget(self) -> None:
        """Look for credentials again at the next call, because these were refused."""
        self._found = None


def _ends(found: Any) -> bool:
    """Whether the credentials expire soon; static ones never do."""
    refresh_needed = getattr(found, "refresh_needed", None)
    return bool(refresh_needed and refresh_needed())


def _look() -> Any:
    """Environment, shared files, container and instance roles, in botocore's order.

    Some of it asks the network.
    """
    from botocore.session import Session  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs session tokens
    return _read(Session().get_credentials)


def _renew(found: Any) -> None:
    _read(found.get_frozen_credentials)


def _read(get: Callable[[], Any]) -> Any:
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        return get()
    except BotoCoreError as exc:
        raise TemporaryError(f"AWS credentials cannot be read: {type(exc).__name__}") from None


class Signer:
    """Signs requests to one service of one region."""

    def __init__(self, service: str, region: str) -> None:
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # noqa: PLC0415

        logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs session tokens
        self._auth = SigV4Auth
        self._request = AWSRequest
        self._service = service
        self._region = region

    def headers(self, credentials: Any, *, method: str, url: str, body: bytes) -> Mapping[str, str]:
        """All header fields to send, the signature among them.

        The signature is good for five minutes.
        """
        request = self._request(
            method=method, url=url, data=body, headers={"Content-Type": "application/json"}
        )
        self._auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())
