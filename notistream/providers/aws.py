"""AWS: credentials of the settings or of botocore's usual places, and requests signed by its Signature Version 4."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notistream.providers.api import TemporaryError

WHERE = "set NOTISTREAM_SES_ACCESS_KEY_ID and SECRET_ACCESS_KEY, or use AWS's own variables, files or roles"


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
        """An object that botocore signs with; looked for, and renewed, by one caller at a time in a thread.

        Raises:
            TemporaryError: there are none.
        """
        if self._static is not None:
            return self._static
        if self._found is None or self._ends():
            async with self._lock:
                if self._found is None:
                    self._found = await asyncio.to_thread(_look)
                if self._found is None:
                    raise TemporaryError(f"no AWS credentials are found; {WHERE}")
                if self._ends():
                    await asyncio.to_thread(self._found.get_frozen_credentials)
        return self._found.get_frozen_credentials()

    def _ends(self) -> bool:
        refresh_needed = getattr(self._found, "refresh_needed", None)
        return bool(refresh_needed and refresh_needed())

    def forget(self) -> None:
        """They were refused: look for them anew at the next call."""
        self._found = None


def _look() -> Any:
    """Environment, shared files, container and instance roles, in botocore's order; some of it asks the network."""
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
    from botocore.session import Session  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        return Session().get_credentials()
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
        """All header fields to send, the signature among them; the signature is good for five minutes."""
        request = self._request(method=method, url=url, data=body, headers={"Content-Type": "application/json"})
        self._auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())
