"""Field types of requests: what pydantic cannot say strictly enough on its own."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, PlainValidator, WithJsonSchema

from notistream.domain.notification import CHANNEL_NAMES, CHANNELS, Priority
from notistream.domain.validation import nul_error
from notistream.errors import FieldError, InvalidRequest

RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
PRIORITIES: Mapping[object, Priority] = {
    **{p.value: p for p in Priority},
    **dict.fromkeys(range(1, 4), Priority.HIGH),
    **dict.fromkeys(range(4, 7), Priority.NORMAL),
    **dict.fromkeys(range(7, 11), Priority.LOW),
}
# asyncpg stores these two as -infinity and infinity, and reads them back without a zone.
INFINITE = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
LEAST_INT, LARGEST_INT = -(2**63), 2**64 - 1

T = TypeVar("T")


def moment(value: object) -> datetime:
    """An RFC 3339 date and time, in UTC; raises ValueError, also without a zone."""
    if not isinstance(value, str) or not RFC3339.match(value):
        raise ValueError(
            "must be a date and time with a zone (RFC 3339), such as 2026-01-31T09:00:00Z"
        )
    try:
        parsed = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time that exists") from None
    if parsed in INFINITE:
        raise ValueError("is the first or last moment of the calendar; send one inside it")
    return parsed


def priority(value: object) -> Priority:
    """A name, or an integer from 1 (most urgent) to 10."""
    if type(value) in (str, int) and value in PRIORITIES:  # not True, which equals 1
        return PRIORITIES[value]
    raise ValueError("must be high, normal, low, or an integer from 1 (urgent) to 10")


def json_object(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object that PostgreSQL and orjson store unchanged; raises ValueError."""
    if fault := _fault(value):
        raise ValueError(fault)
    return value


def _fault(value: object) -> str | None:
    if isinstance(value, str):
        return nul_error(value)
    if isinstance(value, int):
        return None if LEAST_INT <= value <= LARGEST_INT else "has an integer of more than 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else "has a number that is too large"
    if isinstance(value, Mapping):
        return next(
            (f for key, item in value.items() if (f := nul_error(key) or _fault(item))), None
        )
    if isinstance(value, list):
        return next((f for item in value if (f := _fault(item))), None)
    return None


def _without_nul(value: str) -> str:
    if fault := nul_error(value):
        raise ValueError(fault)
    return value


def _channel(value: str) -> str:
    if value not in CHANNEL_NAMES:
        raise ValueError(f"must be one of {', '.join(CHANNELS)}")
    return CHANNEL_NAMES[value]


STRICT = ConfigDict(strict=True, extra="forbid")


def either(value: T | None, aliased: T | None, *, alias: str, of: str) -> T | None:
    """Return a field or its alias; raises InvalidRequest if both are given and differ."""
    if aliased is None:
        return value
    if value is not None and value != aliased:
        raise InvalidRequest(
            [FieldError(f"/{alias}", f"is an alias of `{of}` and says something else; send one")]
        )
    return aliased


def channel_name(word: str, *, pointer: str) -> str:
    """Return a channel's name for a name or alias; raises InvalidRequest."""
    refuse_wrong(
        {pointer: None if word in CHANNEL_NAMES else f"must be one of {', '.join(CHANNELS)}"}
    )
    return CHANNEL_NAMES[word]


def refuse_wrong(found: Mapping[str, str | None]) -> None:
    """Raise InvalidRequest if any pointer has a message."""
    if errors := [FieldError(pointer, message) for pointer, message in found.items() if message]:
        raise InvalidRequest(errors)


Moment = Annotated[
    datetime, PlainValidator(moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Urgency = Annotated[
    Priority,
    PlainValidator(priority),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [p.value for p in Priority]},
                {"type": "integer", "minimum": 1, "maximum": 10},
            ],
            "default": "normal",
        }
    ),
]
JsonObject = Annotated[dict[str, Any], AfterValidator(json_object)]
Text = Annotated[str, AfterValidator(_without_nul)]
KnownChannel = Annotated[
    str, AfterValidator(_channel), WithJsonSchema({"type": "string", "enum": list(CHANNEL_NAMES)})
]
ChannelName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(CHANNEL_NAMES)})]
