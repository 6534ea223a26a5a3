"""Query parameters: read strictly; all errors are reported at once."""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import orjson
from multidict import MultiMapping

from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.fields import moment

T = TypeVar("T")
NO_CURSOR = "must be a `next_cursor` from an answer"
PAGE_SIZE, LARGEST_PAGE = 20, 100
SWITCH: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
MOVED: Mapping[str, str] = {
    "page": "is not supported: follow `next_cursor` with `cursor`",
    "per_page": "is not supported: use `page_size`, and follow `next_cursor` with `cursor`",
}


def refuse_unknown(query: MultiMapping[str], known: Collection[str]) -> None:
    """Raise InvalidRequest for an unknown parameter: ignoring it would change the meaning."""
    errors = [
        FieldError(
            _pointer(name),
            MOVED[name] if name in MOVED and "cursor" in known else "is not known here",
        )
        for name in dict.fromkeys(query)
        if name not in known
    ]
    if errors:
        raise InvalidRequest(errors[:20])


def _pointer(name: str) -> str:
    return f"/query/{name[:100]}"


class Query:
    """Reads one request's parameters; call `check` when all are read."""

    def __init__(self, query: MultiMapping[str]) -> None:
        self._query = query
        self._errors: list[FieldError] = []

    def check(self) -> None:
        """Raises InvalidRequest that names every wrong parameter."""
        if self._errors:
            raise InvalidRequest(self._errors)

    def text(self, name: str) -> str | None:
        return self._one(name, _text)

    def uuid(self, name: str) -> UUID | None:
        return self._one(name, lambda v: _convert(UUID, v, "must be a UUID"))

    def cursor(self, *names: str) -> UUID | None:
        return self._first(names or ("cursor",), lambda v: _convert(UUID, v, NO_CURSOR))

    def text_cursor(self, size: int) -> tuple[str, ...] | None:
        """The `size` texts of a `text_cursor`, for lists that are ordered by text."""
        return self._one("cursor", lambda v: _convert(lambda c: _texts(c, size), v, NO_CURSOR))

    def moment(self, name: str) -> datetime | None:
        """Read a moment; an unescaped + arrives as a space."""
        return self._one(name, lambda v: moment(v.replace(" ", "+")))

    def channel(self) -> str | None:
        return self._one("channel", _channel)

    def switch(self, name: str) -> bool:
        return self.choice(name) or False

    def choice(self, name: str) -> bool | None:
        """Return true, false, or None if it is not given."""
        return self._one(name, _switch)

    def page_size(self, *names: str) -> int:
        return self._first(names or ("page_size",), _page_size) or PAGE_SIZE

    def word(self, name: str, known: Collection[str]) -> str | None:
        """Return one of the known words."""
        return self._one(name, lambda v: _known(v, known))

    def words(self, name: str, known: Mapping[str, Collection[str]]) -> list[str] | None:
        """Return the values of a parameter that may be repeated or separated by commas."""
        words = [w.strip() for value in self._query.getall(name, []) for w in value.split(",")]
        for word in words:
            if word not in known:
                self._errors.append(
                    FieldError(_pointer(name), f"must be one of {', '.join(known)}")
                )
                return None
        return list(dict.fromkeys(meaning for word in words for meaning in known[word])) or None

    def _first(self, names: Sequence[str], read: Callable[[str], T]) -> T | None:
        """Return the first given of several names of a parameter; every given one must be valid."""
        return next(
            (value for value in [self._one(name, read) for name in names] if value is not None),
            None,
        )

    def _one(self, name: str, read: Callable[[str], T]) -> T | None:
        values = self._query.getall(name, [])
        if not values:
            return None
        try:
            return read(_single(values))
        except ValueError as exc:
            self._errors.append(FieldError(_pointer(name), str(exc)))
            return None


def text_cursor(*texts: str) -> str:
    """Encode texts as a cursor that needs no escaping in a URL."""
    return base64.urlsafe_b64encode(orjson.dumps(texts)).decode().rstrip("=")


def _texts(cursor: str, size: int) -> tuple[str, ...]:
    found = orjson.loads(
        base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    )
    if not isinstance(found, list) or [type(text) for text in found] != [str] * size:
        raise ValueError
    return tuple(_text(text) if text else text for text in found)


def _single(values: Sequence[str]) -> str:
    if len(values) > 1:
        raise ValueError("must be given once")
    return values[0]


def _text(value: str) -> str:
    if not value or "\x00" in value:
        raise ValueError("must not be empty or contain NUL characters")
    return value


def _convert(kind: Callable[[str], T], value: str, otherwise: str) -> T:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(otherwise) from None


def _channel(value: str) -> str:
    if value not in CHANNEL_NAMES:
        raise ValueError(f"must be one of {', '.join(CHANNELS)}")
    return CHANNEL_NAMES[value]


def _known(value: str, known: Collection[str]) -> str:
    if value not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return value


def _switch(value: str) -> bool:
    if value not in SWITCH:
        raise ValueError("must be true or false")
    return SWITCH[value]


def _page_size(value: str) -> int:
    if not (
        value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= LARGEST_PAGE
    ):
        raise ValueError(f"must be an integer from 1 to {LARGEST_PAGE}")
    return int(value)
