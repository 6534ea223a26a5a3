"""The two clients: the same operations, blocking and asynchronous."""

import ssl
from collections.abc import Mapping
from typing import Generic, Self

import httpx

from notistream_client.inbox import Inbox
from notistream_client.notifications import Batches, Notifications
from notistream_client.operation import R_co
from notistream_client.recipients import Devices, RecipientPreferences, Recipients, Suppressions
from notistream_client.requesters import AsyncRequester, Requester
from notistream_client.retries import Retries
from notistream_client.streams import Streams
from notistream_client.templates import Templates
from notistream_client.version import __version__
from notistream_client.webhooks import Webhooks

BASE_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 10.0


class _Operations(Generic[R_co]):
    """Every group of operations, over one requester."""

    def __init__(self, requester: R_co) -> None:
        self._requester = requester
        self.notifications = Notifications(requester)
        self.batches = Batches(requester)
        self.templates = Templates(requester)
        self.recipients = Recipients(requester)
        self.preferences = RecipientPreferences(requester)
        self.devices = Devices(requester)
        self.suppressions = Suppressions(requester)
        self.webhooks = Webhooks(requester)
        self.inbox = Inbox(requester)


class Client(_Operations[Requester]):
    """The blocking client. Several threads may share one.

    `api_key` belongs to a tenant, `token` to a recipient; pass one of them. `timeout_s` limits each
    attempt, not the whole call. `tls` trusts other certificates than the usual ones. `transport`
    is a transport of httpx, for tests and proxies.
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        tls: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(
            Requester(
                httpx.Client(
                    base_url=base_url,
                    headers=_headers(api_key, token),
                    timeout=timeout_s,
                    verify=tls or True,
                    transport=transport,
                ),
                retries,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._requester.close()


class AsyncClient(_Operations[AsyncRequester]):
    """The asynchronous client: as Client, and with `streams`."""

    def __init__(
        self,
        base_url: str = BASE_URL,
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = _headers(api_key, token)
        super().__init__(
            AsyncRequester(
                httpx.AsyncClient(
                    base_url=base_url,
                    headers=headers,
                    timeout=timeout_s,
                    verify=tls or True,
                    transport=transport,
                ),
                retries,
            )
        )
        self.streams = Streams(
            base_url,
            headers=headers,
            timeout_s=timeout_s,
            retries=retries,
            tls=tls,
            inbox=self.inbox,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._requester.close()


def _headers(api_key: str | None, token: str | None) -> Mapping[str, str]:
    named = {"User-Agent": f"notistream-client/{__version__}", "Accept": "application/json"}
    if api_key is not None:
        named["X-API-Key"] = api_key
    if token is not None:
        named["Authorization"] = f"Bearer {token}"
    return named
