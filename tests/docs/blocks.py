"""The blocks of code of a page of documentation, and what its comments say of them.

A comment above a block tells how it is executed; readers do not see it:

    <!-- not run: needs Docker -->     it is only looked at; the reason is part of the test's report
    <!-- fails -->                     it must end with an error, as the page says
    <!-- run                           commands that are run, and not shown: what has to be there
      before
    commands
    -->
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DERIVED = "<!-- Derived by"
COMMENT = re.compile(r"<!--\s*(not run|fails|run)\b:?\s*(.*?)\s*-->", re.S)
LOOKS_LIKE_A_COMMAND = re.compile(
    r"^(\$ |(NOTISTREAM_\w+=\S+"
    r" )*(curl|notistream|make|docker|pip|python3?|git|kubectl|\.venv/\S+) )",
    re.M,
)
SHELL = {"sh", "bash", "shell", "console"}
RUN = SHELL | {"python", "js", "json"}
SHOWN = {"", "text", "http", "yaml", "ini", "sql", "toml", "dockerfile", "promql"}


@dataclass(frozen=True, slots=True)
class Block:
    """`text` in `language`, at `line` of a page; `shown` is False for what only the test needs."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None = None
    fails: bool = False
    shown: bool = True

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page for people, as a path from the repository's root."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in found]


def is_derived(page: str) -> bool:
    return (ROOT / page).read_text("utf-8").startswith(DERIVED)


def blocks(page: str, text: str | None = None) -> Iterator[Block]:
    """The blocks of a page, in order."""
    said: tuple[str, str] | None = None
    for token in MarkdownIt().parse((ROOT / page).read_text("utf-8") if text is None else text):
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            found = COMMENT.search(token.content)
            said = (found[1], found[2]) if found else None
            if said and said[0] == "run":
                yield Block(page, line, "sh", said[1] + "\n", shown=False)
        elif token.type in ("fence", "code_block"):
            language = token.info.strip().partition(" ")[0].lower()
            yield Block(
                page,
                line,
                language,
                token.content,
                fails=said is not None and said[0] == "fails",
                not_run=said[1] if said and said[0] == "not run" else None,
            )
            said = None
        elif token.type.endswith("_open"):
            said = None
