"""The difference of two texts: nothing lost, nothing invented, little shown of what is the same."""

import time

import pytest

from notistream.domain.difference import MOST_WORDS, Kind, Piece, difference

SAME, REMOVED, ADDED, SKIPPED = Kind.SAME, Kind.REMOVED, Kind.ADDED, Kind.SKIPPED
LINES = "".join(f"line {n}\n" for n in range(20))


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        ("", "", []),
        ("a", "a", [(SAME, "a")]),
        ("", "new\n", [(ADDED, "new\n")]),
        ("old", "", [(REMOVED, "old")]),
        (
            "Dear {{ name }},",
            "Hello {{ name }},",
            [(REMOVED, "Dear"), (ADDED, "Hello"), (SAME, " {{ name }},")],
        ),
        ("a b", "a c d", [(SAME, "a "), (REMOVED, "b"), (ADDED, "c d")]),
        ("same\nold", "same\nnew", [(SAME, "same\n"), (REMOVED, "old"), (ADDED, "new")]),
    ],
    ids=repr,
)
def test_pieces(old, new, pieces):
    assert difference(old, new) == [Piece(kind, text) for kind, text in pieces]


def test_long_unchanged_passages_are_left_out():
    found = difference(LINES + "end", "start\n" + LINES + "END")
    assert [piece.kind for piece in found] == [ADDED, SAME, SKIPPED, SAME, REMOVED, ADDED]
    assert found[2].text == "14 lines are the same"
    assert found[1].text == "line 0\nline 1\nline 2\n"
    assert [piece.text for piece in difference(LINES, LINES)] == ["20 lines are the same"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b c\nd", "a x c\nd e"),
        ("\r\n \t", "\n"),
        ("é😀 b", "é b 😀"),
        ("x " * 5, "y " * 5 + "\n"),
    ],
    ids=repr,
)
def test_nothing_is_lost_and_nothing_invented(old, new):
    found = difference(old, new)
    assert "".join(p.text for p in found if p.kind in (SAME, REMOVED)) == old
    assert "".join(p.text for p in found if p.kind in (SAME, ADDED)) == new


def test_of_a_very_long_passage_lines_only_are_compared():
    old, new = "a " * MOST_WORDS, "b " * MOST_WORDS
    began = time.process_time()
    assert difference(old, new) == [Piece(REMOVED, old), Piece(ADDED, new)]
    assert time.process_time() - began < 5
