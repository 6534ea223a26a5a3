"""What a form above a list asked for: empty fields are left out, times without a zone are UTC."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from multidict import MultiDict, MultiMapping

from notistream.web.server.query import Query

ZONELESS = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?\Z")


def filled(query: MultiMapping[str]) -> MultiDict[str]:
    """The fields that were filled in; those of type datetime-local say no zone."""
    return MultiDict(
        (name, f"{text}{':00' if text.count(':') == 1 else ''}Z" if ZONELESS.match(text) else text)
        for name, value in query.items()
        if (text := value.strip())
    )


def asked(query: MultiMapping[str]) -> Query:
    """A reader of them; call `check` when all are read."""
    return Query(filled(query))


def address(path: str, given: Mapping[str, object], **changed: object) -> str:
    """A page's address with the same fields but those changed; None and empty ones are left out."""
    fields = {
        name: value for name, value in {**given, **changed}.items() if value not in (None, "")
    }
    return f"{path}?{urlencode(fields)}" if fields else path
