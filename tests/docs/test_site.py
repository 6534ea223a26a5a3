"""The pages build as a site without a warning, and a reader's browser asks nobody else for
anything.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

ELSEWHERE = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", ".mkdocs.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / ".mkdocs.yml", tmp_path)
    return tmp_path


def test_builds_without_a_warning_and_asks_nobody_else(checkout: Path) -> None:
    built = build(checkout)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((checkout / "build" / "site").rglob("*.html"))
    assert len(pages) >= len(list((checkout / "docs").rglob("*.md")))
    for page in pages:
        text = page.read_text("utf-8")
        assert not ELSEWHERE.findall(text), page.name


def test_a_broken_link_fails_the_build(checkout: Path) -> None:
    with (checkout / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    built = build(checkout)
    assert built.returncode != 0
    assert "page does not exist" in built.stdout + built.stderr
