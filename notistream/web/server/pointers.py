"""Validation errors of pydantic as field errors: a JSON pointer and a message."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from notistream.errors import FieldError, InvalidRequest, NotiStreamError, UnreadableBody

SHOWN = 50
LONGEST_KEY = 100
WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a field that is known here",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}


def refusal(error: ValidationError) -> NotiStreamError:
    """Return UnreadableBody if the body is not JSON, else InvalidRequest with every wrong field."""
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return UnreadableBody(found[0]["msg"])
    return InvalidRequest([FieldError(pointer(*e["loc"]), _words(e)) for e in found[:SHOWN]])


def _words(error: Mapping[str, Any]) -> str:
    known = WORDS.get(error["type"])
    if known is None:
        message: str = error["msg"]
        return message.removeprefix("Value error, ")
    return known.format_map(error.get("ctx", {}))


def pointer(*path: str | int) -> str:
    """Return an RFC 6901 pointer; long keys of clients are cut."""
    return "".join(
        "/" + str(part)[:LONGEST_KEY].replace("~", "~0").replace("/", "~1") for part in path
    )
