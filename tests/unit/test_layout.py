"""The layout law: where files may be, how long they may get, and what a module says first."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("notistream", "agents", "tables", "clients/python/notistream_client")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TOP_LEVEL = {
    "pyproject.toml",
    "notistream",
    "agents",
    "tables",
    "clients",
    "migrations",
    "tests",
    "compose.yaml",
    "Makefile",
    "README.md",
    "docs",
    "deploy",
    "benchmarks",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "constraints.txt",
}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_unexpected_at_the_top():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {entry for entry in top if not entry.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_module_is_small_and_says_what_it_owns(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_FILE_LINES
    docstring = ast.get_docstring(tree)
    assert docstring, "no module docstring"
    assert docstring.splitlines()[0].endswith("."), "the docstring opens with one whole sentence"
    too_long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert too_long == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_module_is_named_after_what_it_owns(path):
    assert not VAGUE & {path.stem, *path.relative_to(ROOT).parent.parts}


@pytest.mark.parametrize("name", ["agents", "tables"])
def test_folder_at_the_top_is_linked_into_the_package(name):
    link = ROOT / "notistream" / name
    assert link.is_symlink(), "a checkout needs symbolic links: git config core.symlinks true"
    assert link.readlink() == Path("..", name)
