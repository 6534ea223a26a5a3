"""Preferences as clients of the second seed's system send them: one level, one channel each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.preferences import StoredPreferences
from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.domain.recipient import zone_error
from notistream.errors import FieldError, InvalidRequest
from notistream.web.preferences.bodies import (
    MAX_COUNT,
    MAX_MINUTES,
    PUT_PREFERENCES,
    PutPreferences,
    clock_error,
    preferences,
)
from notistream.web.server.body import parse
from notistream.web.server.fields import STRICT, ChannelName


@with_config(STRICT)
class UserPreference(TypedDict, total=False):
    """What a recipient wishes of one channel; null, 0 and an empty text mean none."""

    channel: Annotated[
        ChannelName | None, Field(description="Required, where the path does not name it.")
    ]
    enabled: Annotated[bool | None, Field(description="false: nothing is sent. Default true.")]
    quiet_hours_start: Annotated[str | None, Field(description="HH:MM, in the recipient's zone.")]
    quiet_hours_end: Annotated[
        str | None, Field(description="HH:MM; before the start, it is of the next day.")
    ]
    frequency_cap: Annotated[
        int | None,
        Field(ge=0, le=MAX_COUNT, description="At most so many in any `frequency_window_minutes`."),
    ]
    frequency_window_minutes: Annotated[int | None, Field(ge=0, le=MAX_MINUTES)]
    timezone: Annotated[
        str | None, Field(description="IANA time zone; it is the recipient's, for all channels.")
    ]


@with_config(STRICT)
class UserPreferences(TypedDict):
    """Several channels at once."""

    preferences: Annotated[list[UserPreference], Field(min_length=1, max_length=len(CHANNELS))]


AnyPreferences = UserPreference | UserPreferences | PutPreferences
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
ONE: TypeAdapter[UserPreference] = TypeAdapter(UserPreference)
MANY: TypeAdapter[UserPreferences] = TypeAdapter(UserPreferences)


@dataclass(frozen=True, slots=True)
class Wishes:
    """The documents to store, by channel, and the recipient's time zone if one is given."""

    channels: Mapping[str, Any]
    timezone: str | None


def read(body: bytes, *, channel: str | None) -> Wishes | StoredPreferences:
    """Read a body in any of its shapes: one channel, several, or all preferences.

    With `channel`, which comes from the path, only the first shape is accepted.

    Raises:
        UnreadableBody, InvalidRequest: with a pointer to every wrong field.
    """
    value = parse(ANYTHING, body)
    fields = set(value) if isinstance(value, dict) and channel is None else set()
    if "preferences" in fields:
        many = parse(MANY, body)["preferences"]
        return _wishes({f"/preferences/{index}": one for index, one in enumerate(many)}, None)
    if fields & {"channels", "categories"}:
        return preferences(parse(PUT_PREFERENCES, body))
    return _wishes({"": parse(ONE, body)}, channel)


def _wishes(wanted: Mapping[str, UserPreference], channel: str | None) -> Wishes:
    errors = [
        FieldError(place + pointer, message)
        for place, one in wanted.items()
        for pointer, message in _errors(one, channel)
        if message
    ]
    if errors:
        raise InvalidRequest(errors)
    documents: dict[str, Any] = {}
    zones: dict[str, None] = {}
    for place, one in wanted.items():
        name = channel or CHANNEL_NAMES[one["channel"] or ""]
        if name in documents:
            raise InvalidRequest([FieldError(f"{place}/channel", "is named twice")])
        documents[name] = _document(one)
        zones.update(dict.fromkeys(filter(None, [one.get("timezone")])))
        if len(zones) > 1:
            raise InvalidRequest(
                [FieldError(f"{place}/timezone", "must be the same for all channels")]
            )
    return Wishes(documents, next(iter(zones), None))


def _errors(one: UserPreference, channel: str | None) -> Iterator[tuple[str, str | None]]:
    named, zone = one.get("channel"), one.get("timezone")
    if named is None:
        yield "/channel", "is required" if channel is None else None
    elif named not in CHANNEL_NAMES:
        yield "/channel", f"must be one of {', '.join(CHANNELS)}"
    elif channel is not None and CHANNEL_NAMES[named] != channel:
        yield "/channel", f"must be {channel}, as in the path"
    yield from _quiet_errors(one.get("quiet_hours_start"), one.get("quiet_hours_end"))
    if one.get("frequency_cap") and not one.get("frequency_window_minutes"):
        yield "/frequency_window_minutes", "is required with `frequency_cap`"
    yield "/timezone", zone_error(zone) if zone else None


def _quiet_errors(start: str | None, end: str | None) -> Iterator[tuple[str, str | None]]:
    for pointer, value, other in (
        ("/quiet_hours_start", start, end),
        ("/quiet_hours_end", end, start),
    ):
        if value:
            yield pointer, clock_error(value)
        elif other:
            yield pointer, "is required: quiet hours have a start and an end"
    if start and start == end:
        yield "/quiet_hours_end", "must be another time than the start"


def _document(one: UserPreference) -> Mapping[str, Any]:
    document: dict[str, Any] = {"enabled": one.get("enabled") is not False}
    if one.get("quiet_hours_start"):
        document["quiet_hours"] = {"start": one["quiet_hours_start"], "end": one["quiet_hours_end"]}
    if one.get("frequency_cap"):
        document["frequency_cap"] = {
            "count": one["frequency_cap"],
            "per": one["frequency_window_minutes"],
        }
    return document
