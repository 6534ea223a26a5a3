"""Every block of every page is executed, in order, as a reader would: against what `make run` has
started.
"""

import json
import re
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import pytest
import pytest_asyncio

from tests.docs.answers import Memory, agrees, documents, holds
from tests.docs.blocks import RUN, SHELL, Block, blocks, is_derived, pages
from tests.docs.product import Product, make_run, receiving
from tests.docs.session import PATIENCE_S, BlockFailed, Session, commands, paragraphs
from tests.services import Endpoints
from tests.stack import free_port, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),
]

START = re.compile(r"^((?:NOTISTREAM_\w+=\S+ )*)make run$", re.M)
READS = re.compile(
    r"curl (?!.*(-X|-d|--data|--request))|notistream (trace|audit|dlq (list|show)|top|doctor|\w+"
    r" list)|cat ",
    re.S,
)
"""Commands that change nothing: they may be repeated until they say what the page says."""
CURL_FAILED = re.compile(r"curl: \(22\)[^\n]*\n?")


def to_run(page: str) -> list[Block]:
    return [b for b in blocks(page) if b.language in RUN and b.not_run is None]


PAGES = [page for page in pages() if not is_derived(page) and to_run(page)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    """What all pages use that do not start anything with settings of their own."""
    async with (
        receiving() as port,
        make_run(
            endpoints, tmp_path_factory.mktemp("docs"), receiver=port, gateway=free_port()
        ) as product,
    ):
        yield product


class Reader:
    """Goes through a page: does what its blocks say, and compares what comes back with what they
    show.
    """

    def __init__(self, endpoints: Endpoints, folder: Path, product: Product) -> None:
        self._endpoints, self._folder, self._product = endpoints, folder, product
        self._memory = Memory()
        self._output = ""
        self._runs = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._sit_down()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runs.aclose()

    async def _sit_down(self) -> None:
        folder = self._folder / f"terminal-{self._product.port}"
        folder.mkdir()
        (folder / ".local").symlink_to(self._product.env["NOTISTREAM_STATE_DIR"])
        self._session = await self._runs.enter_async_context(
            Session(folder, dict(self._product.env))
        )

    async def read(self, block: Block) -> None:
        if block.not_run is not None or (block.language == "js" and shutil.which("node") is None):
            return
        match block.language:
            case "json":
                self._compare(documents(block.text))
            case "python":
                await self._session.python(self._filled(block.text))
                self._output = ""
            case "js":
                await self._session.javascript(self._filled(block.text))
                self._output = ""
            case "console":
                for command, shown in commands(block.text):
                    await self._console(command, shown, fails=block.fails)
            case language if language in SHELL:
                await self._shell(block.text, fails=block.fails)
            case _:
                self._output = ""

    async def _shell(self, text: str, *, fails: bool = False) -> None:
        for start in START.findall(text):
            if start:
                await self._start(
                    dict(word.split("=", 1) for word in shlex.split(self._product.here(start)))
                )
        for part in paragraphs(START.sub("", text)):
            self._output = CURL_FAILED.sub(
                "", await self._session.shell(self._filled(part), fails=fails)
            )
            self._memory.learn(self._output)

    async def _console(self, command: str, shown: str, *, fails: bool) -> None:
        shown = self._product.here(shown)

        async def says_so() -> bool:
            await self._shell(command, fails=fails)
            return agrees(shown, self._output)

        try:
            if READS.match(command) and not fails:
                await until(says_so, what=f"$ {command}", patience_s=PATIENCE_S)
            else:
                assert await says_so()
        except AssertionError as exc:
            raise BlockFailed(
                f"$ {command}shown:\n{shown}\nreally:\n{self._output}\n{exc}"
            ) from None

    async def _start(self, settings: dict[str, str]) -> None:
        was = self._product
        await self._runs.aclose()
        self._product = await self._runs.enter_async_context(
            make_run(
                self._endpoints,
                self._folder,
                receiver=was.receiver,
                gateway=was.gateway,
                **settings,
            )
        )
        await self._sit_down()

    def _compare(self, shown: list[object]) -> None:
        """With the answer of the block above; where nothing was answered it has only to be JSON."""
        real, self._output = documents(self._output), ""
        for one in shown:
            assert not real or any(holds(one, found) for found in real), (
                f"answered: {json.dumps(real)[:2000]}"
            )

    def _filled(self, text: str) -> str:
        return self._memory.fill(self._product.here(text))


@pytest.mark.parametrize("page", PAGES)
async def test_page(page: str, endpoints: Endpoints, started: Product, tmp_path: Path) -> None:
    async with Reader(endpoints, tmp_path, started) as reader:
        for block in blocks(page):
            try:
                await reader.read(block)
            except (AssertionError, ValueError) as exc:
                pytest.fail(f"{block.place}\n{block.text}\n{exc}", pytrace=False)
