"""The difference of two texts: by lines, and by words within lines that were changed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 2_000
"""Of a changed passage.

In a longer one whole lines are compared only, because this takes time by the square.
"""
KEPT_LINES = 3
"""Unchanged lines beside a change that are shown."""


class Kind(StrEnum):
    """What became of a piece."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage; of what was skipped, `text` says how much it is."""

    kind: Kind
    text: str


def difference(old: str, new: str) -> list[Piece]:
    """Pieces in order: without the removed ones the new text, without the added ones the old."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    found: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after).get_opcodes():
        if tag == "equal":
            found += _unchanged(
                before[i:j], first=not found, last=(j, m) == (len(before), len(after))
            )
        else:
            found += _changed("".join(before[i:j]), "".join(after[k:m]))
    return found


def _unchanged(lines: Sequence[str], *, first: bool, last: bool) -> Iterator[Piece]:
    head, tail = (0 if first else KEPT_LINES), (0 if last else KEPT_LINES)
    between = len(lines) - head - tail
    if between <= KEPT_LINES:
        yield Piece(Kind.SAME, "".join(lines))
        return
    if head:
        yield Piece(Kind.SAME, "".join(lines[:head]))
    yield Piece(Kind.SKIPPED, f"{between} lines are the same")
    if tail:
        yield Piece(Kind.SAME, "".join(lines[-tail:]))


def _changed(old: str, new: str) -> Iterator[Piece]:
    before, after = WORDS.findall(old), WORDS.findall(new)
    if not before or not after or len(before) + len(after) > MOST_WORDS:
        yield from _pieces(old, new)
        return
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Piece(Kind.SAME, "".join(before[i:j]))
        else:
            yield from _pieces("".join(before[i:j]), "".join(after[k:m]))


def _pieces(old: str, new: str) -> Iterator[Piece]:
    if old:
        yield Piece(Kind.REMOVED, old)
    if new:
        yield Piece(Kind.ADDED, new)
