"""The request body of preferences, and the documents that are stored."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, TypeAdapter, WithJsonSchema, with_config
from typing_extensions import TypedDict

from notistream.db.preferences import StoredPreferences
from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.domain.preference import CAP_WINDOWS_S
from notistream.domain.validation import name_error
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.fields import STRICT
from notistream.web.server.pointers import pointer

CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d\Z", re.ASCII)
MAX_COUNT, MAX_MINUTES, MAX_CATEGORIES = 1_000_000, 525_600, 200


def clock_error(value: str) -> str | None:
    return None if CLOCK.match(value) else "must be a time of day as HH:MM, such as 22:00"


def _clock(value: str) -> str:
    if wrong := clock_error(value):
        raise ValueError(wrong)
    return value


def _window(value: object) -> str | int:
    """A word for the window of a cap, or its minutes; raises ValueError."""
    if (type(value) is int and 1 <= value <= MAX_MINUTES) or (
        isinstance(value, str) and value in CAP_WINDOWS_S
    ):
        return value
    raise ValueError(
        f"must be {', '.join(CAP_WINDOWS_S)}, or a number of minutes from 1 to {MAX_MINUTES}"
    )


Clock = Annotated[
    str,
    AfterValidator(_clock),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
Window = Annotated[
    str | int,
    PlainValidator(_window),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": list(CAP_WINDOWS_S)},
                {"type": "integer", "minimum": 1, "maximum": MAX_MINUTES},
            ]
        }
    ),
]


@with_config(STRICT)
class QuietHoursBody(TypedDict):
    """From `start` to before `end` in the recipient's zone.

    Overnight where `start` is the later one.
    """

    start: Clock
    end: Clock


def _two_times(value: QuietHoursBody) -> QuietHoursBody:
    if value["start"] == value["end"]:
        raise ValueError("must begin and end at different times")
    return value


@with_config(STRICT)
class FrequencyCapBody(TypedDict):
    """At most `count` messages in any window of the length `per`."""

    count: Annotated[int, Field(ge=1, le=MAX_COUNT)]
    per: Window


@with_config(STRICT)
class ChannelPreferenceBody(TypedDict, total=False):
    """What a recipient wishes of a channel; what is left out is not limited."""

    enabled: Annotated[bool | None, Field(description="false: nothing is sent. Default true.")]
    quiet_hours: Annotated[QuietHoursBody, AfterValidator(_two_times)] | None
    frequency_cap: FrequencyCapBody | None


@with_config(STRICT)
class PutPreferences(TypedDict, total=False):
    """All that a recipient wishes; what is left out goes back to its default."""

    channels: Annotated[
        dict[str, ChannelPreferenceBody | None] | None,
        Field(
            description="By channel.",
            json_schema_extra={"propertyNames": {"enum": list(CHANNEL_NAMES)}},
        ),
    ]
    categories: Annotated[
        dict[str, bool] | None,
        Field(
            description="false: nothing of this category is sent.",
            json_schema_extra={"maxProperties": MAX_CATEGORIES},
        ),
    ]


PUT_PREFERENCES: TypeAdapter[PutPreferences] = TypeAdapter(PutPreferences)


def preferences(wanted: PutPreferences) -> StoredPreferences:
    """Return what is stored of a body: what differs from the default, by channel.

    Raises:
        InvalidRequest: with a pointer to every wrong name.
    """
    channels, categories = wanted.get("channels") or {}, wanted.get("categories") or {}
    if errors := [*_channel_errors(channels), *_category_errors(categories)]:
        raise InvalidRequest(errors)
    return StoredPreferences(
        {CHANNEL_NAMES[name]: _document(body or {}) for name, body in channels.items()}, categories
    )


def _channel_errors(channels: Mapping[str, object]) -> Iterator[FieldError]:
    for name in channels:
        if name not in CHANNEL_NAMES:
            yield FieldError(pointer("channels", name), f"must be one of {', '.join(CHANNELS)}")
        elif CHANNEL_NAMES[name] != name and CHANNEL_NAMES[name] in channels:
            yield FieldError(
                pointer("channels", name),
                f"is an alias of {CHANNEL_NAMES[name]}, which is here too",
            )


def _category_errors(categories: Mapping[str, bool]) -> Iterator[FieldError]:
    if len(categories) > MAX_CATEGORIES:
        yield FieldError("/categories", f"must have at most {MAX_CATEGORIES} items")
        return
    for name in categories:
        if wrong := name_error(name):
            yield FieldError(pointer("categories", name), wrong)


def _document(body: ChannelPreferenceBody) -> Mapping[str, Any]:
    kept = {name: body[name] for name in ("quiet_hours", "frequency_cap") if body.get(name)}
    return {"enabled": body.get("enabled") is not False, **kept}
