"""docs/client.md at a real API with keys on: its Python in order and typed, its curl and its
JavaScript.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services import Endpoints
from tests.stack import ROOT, Stack, stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
async def product(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> AsyncIterator[Stack]:
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        AUTH="on",
    ) as running:
        await running.api()
        await running.worker()
        yield running


async def test_every_snippet_does_what_the_page_says(product: Stack, tmp_path: Path) -> None:
    _, tenant = await product.call("POST", "/internal/tenants", {"name": "acme"}, headers=ADMIN)
    _, made = await product.call(
        "POST", f"/internal/tenants/{tenant['id']}/api-keys", {"name": "k"}, headers=ADMIN
    )

    async def run(program: str, name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text.replace("http://127.0.0.1:8080", product.base), "utf-8")
        child = await asyncio.create_subprocess_exec(
            program,
            str(path),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "API_KEY": made["key"], "PYTHONPATH": str(ROOT)},
        )
        output = (await asyncio.wait_for(child.communicate(), 60))[0].decode()
        assert child.returncode == 0, output
        return output

    printed = await run(sys.executable, "page.py", "\n".join(blocks("python")))
    assert "1 invalid_content must be" in printed
    prelude = 'set -e\ncurl() { command curl --fail-with-body -sS "$@"; }\n'
    answers = await run("bash", "page.sh", prelude + "\n".join(blocks("sh")))
    assert '"Your code is 1234"' in answers
    if shutil.which("node"):
        listed = await run("node", "page.mjs", "\n".join(blocks("js")))
        assert len(listed.splitlines()) == 2, "the one of the Python part, and its own"


def test_its_python_is_typed(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text("\n".join(blocks("python")), "utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    path.write_text(
        'from notistream_client import Client\nClient().notifications.create(chanel="sms")\n',
        "utf-8",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'Unexpected keyword argument "chanel"' in done.stdout


def test_it_names_every_operation() -> None:
    from tests.unit.client_calls import CALLS

    shown = {
        f"{group}.{name}"
        for group, names in re.findall(r"^\| `(\w+)`[^|]*\| (.*) \|$", PAGE, re.M)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert shown == set(CALLS) | {"streams.statuses", "streams.inbox"}
