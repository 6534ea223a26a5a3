"""Fields and ids of a request, and addresses of pages made from them.

Empty fields are left out. Times without a zone are UTC.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from multidict import MultiDict, MultiMapping

from notistream.web.server.query import Query

ZONELESS = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?\Z")


def filled_fields(fields: MultiMapping[str]) -> MultiDict[str]:
    """The fields that were filled in; values of type datetime-local get the zone UTC."""
    return MultiDict(
        (name, f"{text}{':00' if text.count(':') == 1 else ''}Z" if ZONELESS.match(text) else text)
        for name, value in fields.items()
        if (text := value.strip())
    )


def read_fields(fields: MultiMapping[str]) -> Query:
    """A reader of the fields that were filled in; call `check` after reading all of them."""
    return Query(filled_fields(fields))


def url(path: str, fields: Mapping[str, object], **changed: object) -> str:
    """The address of a page with these fields and changes; None and empty ones are left out."""
    kept = {name: value for name, value in {**fields, **changed}.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path
