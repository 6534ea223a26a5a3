"""What is published: the sdist builds the wheel, the wheel has all that the checkout has, and works
away from it.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import aiohttp
import pytest

from notistream import __version__
from notistream.db import migrate
from notistream.local import ports
from notistream.local.services import stop_unused
from tests.services import dedicated_folder
from tests.stack import ROOT, until

pytestmark = [pytest.mark.integration, pytest.mark.full, pytest.mark.timeout(240)]

SHIPPED = ("notistream", "agents", "tables")
KINDS = {".py", ".sql", ".txt", ".html", ".css", ".js", ".typed"}


def build(source: Path, kind: str, target: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return next(target.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the sdist, as an index's users would."""
    folder = tmp_path_factory.mktemp("build")
    with tarfile.open(build(ROOT, "sdist", folder)) as sdist:
        sdist.extractall(folder, filter="data")
    return build(folder / f"notistream-{__version__}", "wheel", folder)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Programs of an environment of its own: our wheel, and of this one's packages all but
    ourselves.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=False)
    programs = folder / "venv" / "bin"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--python",
            str(programs / "python"),
            "install",
            "--no-deps",
            "--no-index",
            str(wheel),
        ],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    packages = next((folder / "venv").glob("lib/*/site-packages"))
    # A path alone: the .pth files in that folder, of which one leads to this checkout, are not
    # read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return set(listed.stdout.split())


def environment(**settings: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NOTISTREAM_", "PYTHONPATH"))}
    return {**clean, **{f"NOTISTREAM_{name}": value for name, value in settings.items()}}


def test_the_wheel_has_what_the_checkout_has_and_nothing_else(wheel):
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    migrations = {f"notistream/{name}" for name in tracked("migrations")}
    assert files == tracked(*SHIPPED) | migrations
    assert {Path(name).suffix for name in files} >= KINDS
    assert "notistream/py.typed" in files


def test_the_version_comes_from_one_place(wheel, installed, tmp_path):
    assert f"-{__version__}-" in wheel.name
    said = subprocess.run(
        [installed / "notistream", "--version"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == f"notistream, version {__version__}"
    places = (
        "import notistream, agents, tables; print(*(m.__file__ for m in (notistream, agents,"
        " tables)))"
    )
    said = subprocess.run(
        [installed / "python", "-c", places],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(installed.parent)) for path in said.stdout.split())


async def test_it_delivers_in_an_empty_folder(installed, tmp_path):
    state = dedicated_folder()
    port = ports.choose("127.0.0.1", 1)[0]
    env = environment(STATE_DIR=str(state), PORT=str(port))
    with (tmp_path / "dev.log").open("wb") as log:
        dev = await asyncio.create_subprocess_exec(
            installed / "notistream",
            "dev",
            cwd=tmp_path,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:

        def ready():
            assert dev.returncode is None, (tmp_path / "dev.log").read_text()
            return b"NotiStream ready" in (tmp_path / "dev.log").read_bytes()

        await until(ready, what="NotiStream ready", patience_s=150)
        status = await asyncio.create_subprocess_exec(
            installed / "notistream",
            "migrate",
            "status",
            cwd=tmp_path,
            env=env,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await status.communicate()
        assert all(str(migration.number) in out.decode() for migration in migrate.known())
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            body = {
                "channel": "email",
                "recipient_id": "user-123",
                "template_id": "welcome",
                "payload": {"name": "A"},
            }
            async with http.post("/api/v1/notifications", json=body) as answer:
                found = await answer.json()
                assert answer.status == 202, found

            async def delivered():
                async with http.get(f"/api/v1/notifications/{found['id']}") as answer:
                    return (await answer.json())["status"] == "delivered"

            await until(delivered, what="the delivery")
            async with http.get("/docs") as page:
                assert page.status == 200
        dev.terminate()
        assert await asyncio.wait_for(dev.wait(), 60) == 0
    finally:
        if dev.returncode is None:
            dev.kill()
            await dev.wait()
        stop_unused(state)
        shutil.rmtree(state, ignore_errors=True)
