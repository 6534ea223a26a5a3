"""The blocks of a page of documentation are read with what its comments say of them."""

from tests.docs.blocks import blocks


def test_blocks_are_told_apart() -> None:
    page = (
        "<!-- run\nfirst\n-->\n\n```sh\nsecond\n```\n\n<!-- not run: for fun -->\n```console\n$"
        " third\n```\n"
    )
    page += "\n<!-- fails -->\n\n```sh\nfourth\n```\n\n<!-- fails -->\n\nNo.\n\n```\nfifth\n```\n"
    found = [
        (b.language, b.text.strip(), b.not_run, b.fails, b.shown) for b in blocks("x.md", page)
    ]
    assert found == [
        ("sh", "first", None, False, False),
        ("sh", "second", None, False, True),
        ("console", "$ third", "for fun", False, True),
        ("sh", "fourth", None, True, True),
        ("", "fifth", None, False, True),
    ]
