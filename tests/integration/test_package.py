"""The wheel has all that the checkout has, works away from it, and harms no other package."""

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

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

LINKED = ("agents", "tables")
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
def unpacked(tmp_path_factory):
    """The folder of an unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(ROOT, "sdist", folder)) as sdist:
        sdist.extractall(folder, filter="data")
    return folder / f"notistream-{__version__}"


@pytest.fixture(scope="module")
def wheel(unpacked, tmp_path_factory):
    """Built from the sdist, as an index's users would."""
    return build(unpacked, "wheel", tmp_path_factory.mktemp("wheel"))


def install(programs: Path, *wheels: Path) -> None:
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
            *map(str, wheels),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory):
    """Wheels of two strangers whose import names are `agents` and `tables`, as those of the OpenAI
    Agents SDK and PyTables are.
    """
    wheels = []
    for name in LINKED:
        folder = tmp_path_factory.mktemp(name)
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f'OWNER = "stranger-{name}"\n')
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[project]\nname = "stranger-{name}"\nversion = "1"\n'
            f'[tool.hatch.build.targets.wheel]\npackages = ["{name}"]\n'
        )
        wheels.append(build(folder, "wheel", folder / "dist"))
    return wheels


@pytest.fixture(scope="module")
def installed(wheel, neighbours, tmp_path_factory):
    """Programs of an environment of its own: our wheel, the strangers, and of this environment's
    packages all but ourselves.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=False)
    programs = folder / "venv" / "bin"
    install(programs, *neighbours)
    install(programs, wheel)
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


def shipped() -> set[str]:
    """The files of the checkout by their place in the wheel."""
    links = {f"notistream/{name}" for name in LINKED}
    moved = {f"notistream/{name}" for name in tracked("migrations", *LINKED)}
    return (tracked("notistream") - links) | moved


def environment(**settings: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NOTISTREAM_", "PYTHONPATH"))}
    return {**clean, **{f"NOTISTREAM_{name}": value for name, value in settings.items()}}


def test_the_wheel_has_what_the_checkout_has_and_nothing_else(wheel):
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == shipped()
    assert {Path(name).suffix for name in files} >= KINDS
    assert "notistream/py.typed" in files


def test_an_editable_install_of_an_unpacked_sdist_finds_every_module(unpacked):
    for name in LINKED:
        top, linked = (unpacked / place / name for place in (".", "notistream"))
        assert list(linked.glob("*.py"))
        assert {path.name: path.read_bytes() for path in linked.glob("*.py")} == {
            path.name: path.read_bytes() for path in top.glob("*.py")
        }


def test_the_image_is_built_from_the_same_files(tmp_path):
    """The folder that the Dockerfile makes by its COPY lines gives the same wheel."""
    copied = [
        line.split()[1:-1]
        for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    (tmp_path / "src").mkdir()
    for name in sorted(tracked(*(name for names in copied for name in names))):
        target = tmp_path / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)
    wheel = build(tmp_path / "src", "wheel", tmp_path)
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == shipped()


def test_packages_named_agents_and_tables_stay_whole_beside_the_wheel(installed, tmp_path):
    program = (
        "import agents, tables, notistream, notistream.agents, notistream.tables\n"
        "print(agents.OWNER, tables.OWNER, notistream.agents.__name__)"
    )
    said = subprocess.run(
        [installed / "python", "-c", program],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["stranger-agents", "stranger-tables", "notistream.agents"]


@pytest.mark.parametrize("place", ["wheel", "checkout"])
def test_faust_finds_the_app_and_its_agents(place, installed, tmp_path):
    python, folder = {
        "wheel": (installed / "python", tmp_path),
        "checkout": (Path(sys.executable), ROOT),
    }[place]
    said = subprocess.run(
        [python, "-m", "faust", "-A", "notistream.main", "agents"],
        cwd=folder,
        env=environment(DATABASE_URL="postgresql://nobody@127.0.0.1/nothing"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"@deliver-sms-high", "@retry-email", "@events"} <= set(said.stdout.split())


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
