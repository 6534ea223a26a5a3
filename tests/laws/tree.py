"""The files of the repository as a law reads them; a test can plant a fault without writing one."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
Law = Callable[["Tree"], Iterator[str]]
"""Yields every fault that it finds as `path:line: what is wrong`."""


@cache
def _listed() -> tuple[str, ...]:
    """Every file that is committed or would be; without git, every file that is not hidden."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return tuple(path for path in done.stdout.splitlines() if (ROOT / path).is_file())
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return tuple(str(path) for path in found if not path.parts[0].startswith(".venv"))


@cache
def _documents(text: str) -> list[Any]:
    return list(yaml.load_all(text, yaml.CSafeLoader))


@dataclass(frozen=True)
class Tree:
    """The repository, with `planted` texts in place of what the files say."""

    planted: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return sorted({*_listed(), *self.planted})

    def files(self, *patterns: str) -> list[str]:
        """The paths that match one of the patterns; `*` also matches slashes."""
        return [path for path in self.paths if any(fnmatch(path, each) for each in patterns)]

    def has(self, path: str) -> bool:
        return path in self.planted or (ROOT / path).exists()

    def link(self, path: str) -> str | None:
        """Where a symbolic link leads; None for anything else."""
        if path in self.planted or not (ROOT / path).is_symlink():
            return None
        return str((ROOT / path).readlink())

    def read(self, path: str) -> str:
        return self.planted[path] if path in self.planted else (ROOT / path).read_text("utf-8")

    def yaml(self, path: str) -> Any:
        return self.documents(path)[0]

    def documents(self, path: str) -> list[Any]:
        """Every document of a YAML file."""
        return _documents(self.read(path))

    def at(self, path: str, words: str, wrong: str) -> str:
        """A fault at the first line that holds the words, else at the first line of the file."""
        before, found, _ = self.read(path).partition(words)
        return f"{path}:{before.count(chr(10)) + 1 if found else 1}: {wrong}"
