"""Lists that are read page by page, with `for` and with `async for`."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Generic, TypeVar

from notistream_client.answers import Page
from notistream_client.call import Call
from notistream_client.requesters import AsyncRequester, Requester

T = TypeVar("T")


class Pages(Generic[T]):
    """All entries of a list; each page is requested when the iteration reaches it."""

    def __init__(self, requester: Requester, call: Call[Page[T]]) -> None:
        self._requester = requester
        self._call = call

    def page(self) -> Page[T]:
        """Only the page at the cursor."""
        return self._requester.send(self._call)

    def pages(self) -> Iterator[Page[T]]:
        """Every page from the cursor on."""
        call: Call[Page[T]] | None = self._call
        while call is not None:
            page = self._requester.send(call)
            yield page
            call = _following(call, page)

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page


class AsyncPages(Generic[T]):
    """All entries of a list; each page is requested when the iteration reaches it."""

    def __init__(self, requester: AsyncRequester, call: Call[Page[T]]) -> None:
        self._requester = requester
        self._call = call

    async def page(self) -> Page[T]:
        """Only the page at the cursor."""
        return await self._requester.send(self._call)

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Every page from the cursor on."""
        call: Call[Page[T]] | None = self._call
        while call is not None:
            page = await self._requester.send(call)
            yield page
            call = _following(call, page)

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for entry in page:
                yield entry


def _following(call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    return (
        replace(call, query={**call.query, "cursor": page.next_cursor})
        if page.next_cursor
        else None
    )
