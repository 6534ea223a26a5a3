"""Named queries of the `.sql` files beside this module."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load(stem: str) -> Mapping[str, str]:
    """Queries of `sql/<stem>.sql` by name; the text between two `-- name:` lines is one statement."""
    text = files("notistream.db").joinpath("sql", f"{stem}.sql").read_text(encoding="utf-8")
    parts = NAME.split(text)[1:]
    return {
        name: body.strip().rstrip(";") for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
