"""Lists are walked through to their end, one page at a time and only as far as the caller goes."""

from itertools import islice
from typing import Any

import httpx
import pytest

from notistream_client import NO_RETRIES, AsyncClient, Client
from notistream_client.errors import UnexpectedAnswer

RECIPIENT = {
    "timezone": "UTC",
    "created_at": "2026-01-31T09:00:00Z",
    "updated_at": "2026-01-31T09:00:00Z",
}


class Recipients:
    """Seven recipients, in pages of three, the last but one empty."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(dict(request.url.params))
        pages: dict[str | None, tuple[list[int], str | None]] = {
            None: ([0, 1, 2], "a=&b"),
            "a=&b": ([3, 4, 5], "c"),
            "c": ([], "d"),
            "d": ([6], None),
        }
        numbers, following = pages[request.url.params.get("cursor")]
        data = [{**RECIPIENT, "id": str(number)} for number in numbers]
        return httpx.Response(200, json={"data": data, "next_cursor": following})


async def test_both_clients_walk_to_the_end() -> None:
    service = Recipients()
    with Client("http://test", transport=httpx.MockTransport(service)) as client:
        assert [one.id for one in client.recipients.list(page_size=3)] == list("0123456")
    assert service.asked == [
        {"page_size": "3"},
        {"cursor": "a=&b", "page_size": "3"},
        {"cursor": "c", "page_size": "3"},
        {"cursor": "d", "page_size": "3"},
    ]
    async with AsyncClient("http://test", transport=httpx.MockTransport(service)) as awaited:
        assert [one.id async for one in awaited.recipients.list(page_size=3)] == list("0123456")
    assert service.asked[4:] == service.asked[:4]


async def test_no_page_is_asked_for_before_its_turn() -> None:
    service = Recipients()
    with Client("http://test", transport=httpx.MockTransport(service)) as client:
        walk = client.recipients.list()
        assert service.asked == []
        assert [one.id for one in islice(walk, 3)] == ["0", "1", "2"]
        assert len(service.asked) == 1
        assert [one.id for one in islice(walk, 4)] == [
            "0",
            "1",
            "2",
            "3",
        ], "a list can be walked through again"


async def test_one_page() -> None:
    service = Recipients()
    with Client("http://test", transport=httpx.MockTransport(service)) as client:
        page = client.recipients.list(cursor="c").page()
        assert (len(page), list(page), page.next_cursor) == (0, [], "d")
    async with AsyncClient("http://test", transport=httpx.MockTransport(service)) as awaited:
        assert [one.id for one in await awaited.recipients.list().page()] == ["0", "1", "2"]
        assert [len(page) async for page in awaited.recipients.list().pages()] == [3, 3, 0, 1]


@pytest.mark.parametrize("answer", [[], {}, {"data": None}, {"data": [1]}, {"data": [{}]}, None])
def test_what_is_no_page(answer: Any) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with (
        Client("http://test", transport=transport, retries=NO_RETRIES) as client,
        pytest.raises(UnexpectedAnswer),
    ):
        client.recipients.list().page()
