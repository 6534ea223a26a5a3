"""The client's distribution is small, has the product's version, and is enough by itself."""

import json
import re
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import ClassVar

import pytest
from packaging.requirements import Requirement

from notistream import __version__
from notistream.web.notifications import examples
from notistream.web.server.respond import dump

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "clients" / "python"
MOST_PACKAGES = 11
PROGRAM = """
import asyncio, json, sys
from notistream_client import AsyncClient, Client, __version__

url = sys.argv[1]
message = {"channel": "sms", "recipient": "+905000000000", "content": "hi"}

async def awaited():
    async with AsyncClient(url, api_key="key") as client:
        return (await client.notifications.create(**message)).status

with Client(url, api_key="key") as client:
    blocking = client.notifications.create(**message).status
try:
    import notistream
except ModuleNotFoundError as exc:
    missing = exc.name
print(json.dumps([__version__, blocking, asyncio.run(awaited()), missing]))
"""


def requirements(name: str) -> dict[str, Distribution]:
    """The distribution and all that it requires here, by name."""
    found: dict[str, Distribution] = {}
    todo = [name]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = distribution(name)
            needed = map(Requirement, found[name].requires or [])
            todo += [one.name for one in needed if not one.marker or one.marker.evaluate()]
    return found


def installed_beside(there: Distribution, packages: Path) -> None:
    """Link what a distribution installed here into another environment."""
    for path in {file.parts[0] for file in there.files or [] if file.parts[0] not in {"..", "/"}}:
        link = packages / path
        if path != "__pycache__" and not link.exists():
            link.symlink_to(Path(str(there.locate_file(path))))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=SOURCE,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture
def alone(wheel: Path, tmp_path: Path) -> Path:
    """The interpreter of an environment that has the client, what it requires, and nothing else."""
    venv.create(tmp_path / "venv", with_pip=False)
    packages = next((tmp_path / "venv").glob("lib/*/site-packages"))
    zipfile.ZipFile(wheel).extractall(packages)
    for name, there in requirements("notistream-client").items():
        if name != "notistream-client":
            installed_beside(there, packages)
    return tmp_path / "venv" / "bin" / "python"


class Service(BaseHTTPRequestHandler):
    """Accepts every notification."""

    agents: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.agents.append(self.headers["User-Agent"])
        body = dump(examples.ACCEPTED["accepted"])
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_requires_httpx_and_websockets_and_few_packages_in_all() -> None:
    direct = {Requirement(one).name for one in distribution("notistream-client").requires or []}
    assert direct == {"httpx", "websockets"}
    assert len(requirements("notistream-client")) <= MOST_PACKAGES


def test_a_program_runs_with_the_client_alone(alone: Path, url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [alone, "-I", "-c", PROGRAM, url],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [__version__, "pending", "pending", "notistream"]
    assert set(Service.agents) == {f"notistream-client/{__version__}"}


def test_the_wheel_is_one_typed_package_with_its_licence(wheel: Path) -> None:
    assert wheel.name == f"notistream_client-{__version__}-py3-none-any.whl"
    content = zipfile.ZipFile(wheel)
    names = set(content.namelist())
    assert {name.partition("/")[0] for name in names} == {
        "notistream_client",
        f"notistream_client-{__version__}.dist-info",
    }
    assert "notistream_client/py.typed" in names
    licence = next(name for name in names if name.endswith("licenses/LICENSE"))
    assert content.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_extra_of_the_product_admits_this_version() -> None:
    (extra,) = (
        Requirement(line)
        for line in distribution("notistream").requires or []
        if re.match("notistream.client", line)
    )
    assert __version__ in extra.specifier
