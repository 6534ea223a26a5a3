"""The form of a recipient's preferences: filled from what is stored, and read back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multidict import MultiDict

from notistream.db.preferences import StoredPreferences
from notistream.domain.notification import CHANNELS
from notistream.domain.preference import CAP_WINDOWS_S
from notistream.web.preferences.bodies import PUT_PREFERENCES, preferences
from notistream.web.server.body import parse
from notistream.web.server.respond import dump

PERIODS = tuple(CAP_WINDOWS_S)
WANTED, UNWANTED = "wanted", "not wanted"


@dataclass(frozen=True, slots=True)
class ChannelFields:
    """The fields of one channel, as texts."""

    name: str
    enabled: bool
    start: str
    end: str
    count: str
    per: str


@dataclass(frozen=True, slots=True)
class PreferenceForm:
    """What the form shows."""

    channels: Sequence[ChannelFields]
    categories: Mapping[str, bool]


def form_of(stored: StoredPreferences) -> PreferenceForm:
    return PreferenceForm(
        [_fields(name, stored.channels.get(name, {})) for name in CHANNELS], stored.categories
    )


def _fields(name: str, document: Mapping[str, Any]) -> ChannelFields:
    quiet, cap = document.get("quiet_hours") or {}, document.get("frequency_cap") or {}
    return ChannelFields(
        name,
        document.get("enabled", True),
        quiet.get("start", ""),
        quiet.get("end", ""),
        str(cap.get("count", "")),
        str(cap.get("per", "day")),
    )


def submitted(form: MultiDict[str]) -> PreferenceForm:
    """The form as it was submitted, valid or not."""
    channels = [
        ChannelFields(
            name,
            f"{name}.enabled" in form,
            *(
                form.get(f"{name}.{field}", "").strip()
                for field in ("start", "end", "count", "per")
            ),
        )
        for name in CHANNELS
    ]
    return PreferenceForm(channels, dict(_categories(form)))


def _categories(form: MultiDict[str]) -> Iterator[tuple[str, bool]]:
    for name, wish in zip(form.getall("category", []), form.getall("wish", []), strict=False):
        if name.strip() and wish in (WANTED, UNWANTED):
            yield name.strip(), wish == WANTED


def read(form: PreferenceForm) -> StoredPreferences:
    """The preferences to store; raises InvalidRequest with a pointer to every invalid field."""
    body = {
        "channels": {c.name: _document(c) for c in form.channels},
        "categories": dict(form.categories),
    }
    return preferences(parse(PUT_PREFERENCES, dump(body)))


def _document(fields: ChannelFields) -> Mapping[str, Any]:
    quiet = (
        {"start": fields.start[:5], "end": fields.end[:5]} if fields.start or fields.end else None
    )
    cap = {"count": _number(fields.count), "per": _number(fields.per)} if fields.count else None
    return {"enabled": fields.enabled, "quiet_hours": quiet, "frequency_cap": cap}


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
