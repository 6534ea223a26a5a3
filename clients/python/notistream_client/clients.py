"""The two clients: the same operations, blocking and asynchronous."""

import ssl
from collections.abc import Mapping
from typing import Any, Generic, Self, TypedDict, Unpack

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


class Options(TypedDict, total=False):
    """How a client connects, and who it is. `api_key` belongs to a tenant, `token` to a recipient.

    Pass one of these two. `timeout_s` (default 10) limits each attempt, not the whole call. `tls`
    trusts other certificates than the usual ones.
    """

    api_key: str | None
    token: str | None
    timeout_s: float
    retries: Retries
    tls: ssl.SSLContext | None


class Client(_Operations[Requester]):
    """The blocking client. Several threads may share one.

    `transport` is a transport of httpx, for tests and proxies; see `Options` for the rest.
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        *,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        http = httpx.Client(base_url=base_url, transport=transport, **_of_httpx(options))
        super().__init__(Requester(http, options.get("retries", Retries())))

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
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        http = httpx.AsyncClient(base_url=base_url, transport=transport, **_of_httpx(options))
        retries = options.get("retries", Retries())
        super().__init__(AsyncRequester(http, retries))
        self.streams = Streams(
            base_url,
            headers=_headers(options.get("api_key"), options.get("token")),
            timeout_s=options.get("timeout_s", TIMEOUT_S),
            retries=retries,
            tls=options.get("tls"),
            inbox=self.inbox,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._requester.close()


def _of_httpx(options: Options) -> dict[str, Any]:
    return {
        "headers": _headers(options.get("api_key"), options.get("token")),
        "timeout": options.get("timeout_s", TIMEOUT_S),
        "verify": options.get("tls") or True,
    }


def _headers(api_key: str | None, token: str | None) -> Mapping[str, str]:
    named = {"User-Agent": f"notistream-client/{__version__}", "Accept": "application/json"}
    if api_key is not None:
        named["X-API-Key"] = api_key
    if token is not None:
        named["Authorization"] = f"Bearer {token}"
    return named
