"""The client stands on its own: it loads nothing of the server, and says what it needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = {
    "aiohttp",
    "aiokafka",
    "asyncpg",
    "faust",
    "jinja2",
    "mode",
    "orjson",
    "prometheus_client",
    "pydantic",
}


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def test_importing_it_loads_nothing_of_the_server() -> None:
    loaded = json.loads(
        run("import json, sys, notistream.client; print(json.dumps(list(sys.modules)))")
    )
    ours = {name for name in loaded if name.partition(".")[0] in {"notistream", "agents", "tables"}}
    assert ours
    assert {name for name in ours if not name.startswith("notistream.client")} == {"notistream"}
    assert SERVER & {name.partition(".")[0] for name in loaded} == set()


@pytest.mark.parametrize("missing", ["httpx", "websockets"])
def test_without_its_extra_it_says_what_to_install(missing: str) -> None:
    said = run(
        f"import sys; sys.modules['{missing}'] = None\n"
        "try:\n    import notistream.client\nexcept ImportError as exc:\n    print(exc)"
    )
    assert said.strip() == f"notistream.client needs {missing}: pip install 'notistream[client]'"


def test_importing_the_server_does_not_load_the_client() -> None:
    loaded = run(
        "import sys, notistream.web.routes, notistream.commands; print(*sys.modules)"
    ).split()
    assert not [name for name in loaded if name.startswith("notistream.client")]
