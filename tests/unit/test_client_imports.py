"""The two import paths of the client: the new one knows no server, the former one leads to it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.stem
    for path in (ROOT / "clients" / "python" / "notistream_client").glob("*.py")
    if path.stem != "__init__"
)


def run(program: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_client_loads_nothing_of_the_server() -> None:
    loaded = set(
        json.loads(run("import json, sys, notistream_client; print(json.dumps(list(sys.modules)))"))
    )
    assert {f"notistream_client.{name}" for name in MODULES} <= loaded
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(
        {"notistream", "aiohttp", "aiokafka", "asyncpg", "faust", "jinja2", "orjson", "pydantic"}
    )


def test_importing_the_server_does_not_load_the_client() -> None:
    loaded = run(
        "import sys, notistream.web.routes, notistream.commands; print(*sys.modules)"
    ).split()
    assert not [
        name for name in loaded if name.startswith(("notistream.client", "notistream_client"))
    ]


def test_names_and_modules_of_the_former_path_are_those_of_the_new_one() -> None:
    run(
        "from importlib import import_module\n"
        "import notistream.client.signature\n"
        "import notistream.client as former, notistream_client as new\n"
        "assert former.__all__ == new.__all__\n"
        f"for name in (*new.__all__, *{MODULES}):\n"
        "    assert getattr(former, name) is getattr(new, name), name\n"
        f"for name in {MODULES}:\n"
        "    assert import_module(f'notistream.client.{name}') is getattr(new, name), name\n",
        "-Wignore::DeprecationWarning",
    )


def test_the_former_path_warns_once_and_names_the_new_one() -> None:
    said = run(
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    from notistream.client import Client\n"
        "    import notistream.client.errors\n"
        "print(*(f'{one.category.__name__} {one.filename} {one.message}' for one in caught))"
    )
    assert said.splitlines() == [
        "DeprecationWarning <string> notistream.client has moved: import notistream_client instead"
    ]


def test_without_the_client_the_former_path_says_what_to_install() -> None:
    said = run(
        "import sys; sys.modules['notistream_client'] = None\n"
        "try:\n    import notistream.client.signature\nexcept ImportError as exc:\n    print(exc)"
    )
    assert said.strip() == (
        "the Python client is a distribution of its own: pip install notistream-client"
        " (in a checkout: pip install ./clients/python), then import notistream_client"
    )


def test_a_missing_library_is_not_taken_for_a_missing_client() -> None:
    said = run(
        "import sys; sys.modules['httpx'] = None\n"
        "try:\n    import notistream.client\nexcept ImportError as exc:\n    print(exc.name)"
    )
    assert said.strip() == "httpx"
