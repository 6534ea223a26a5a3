"""The draft: a parsed create request, and the rules that it must meet before it is accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from notistream.domain.notification import CHANNEL_NAMES, CHANNELS, AddressKind, Wanted
from notistream.domain.recipient import locale_error
from notistream.domain.validation import (
    ADDRESS_CHECKS,
    length_error,
    name_error,
    nul_error,
    recipient_id_error,
    subject_error,
)
from notistream.errors import FieldError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Wanted):
    """What a client asked for; types are checked, contents not yet."""

    template: str | None = None
    """Id or name of a template."""


def check(draft: Draft, *, now: datetime, limits: Mapping[str, int]) -> list[FieldError]:
    """All that is wrong with a draft, with JSON pointers; `limits` are characters per channel."""
    name = CHANNEL_NAMES.get(draft.channel)
    if name is None:
        return [FieldError("/channel", f"must be one of {', '.join(CHANNELS)}")]
    found = [
        *_recipient_errors(draft, name),
        *_text_errors(draft, limits[name]),
        *_time_errors(draft, now),
    ]
    return [FieldError(pointer, message) for pointer, message in found if message]


def _recipient_errors(draft: Draft, channel: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    if draft.recipient is not None:
        found.append(("/recipient", ADDRESS_CHECKS[CHANNELS[channel].address](draft.recipient)))
    if draft.recipient_id is not None:
        found.append(("/recipient_id", recipient_id_error(draft.recipient_id)))
    if draft.recipient is None and draft.recipient_id is None:
        wanted = (
            ""
            if CHANNELS[channel].address is AddressKind.RECIPIENT_ID
            else ", or an address in `recipient`"
        )
        found.append(
            ("/recipient", f"is missing: give `recipient_id` of a stored recipient{wanted}")
        )
    return found


def _text_errors(draft: Draft, limit: int) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    if draft.content is None and draft.template is None:
        found.append(("/content", "is missing: give `content`, `template_id`, or both"))
    if draft.content is not None:
        empty = None if draft.content.strip() else "must not be empty"
        found.append(
            ("/content", empty or nul_error(draft.content) or length_error(draft.content, limit))
        )
    if draft.subject is not None:
        found.append(("/subject", subject_error(draft.subject)))
    if draft.locale is not None:
        found.append(("/locale", locale_error(draft.locale)))
    for pointer, value in (
        ("/idempotency_key", draft.idempotency_key),
        ("/category", draft.category),
        ("/type", draft.type),
    ):
        if value is not None:
            found.append((pointer, name_error(value)))
    found.extend((pointer, "must not contain NUL characters") for pointer in _nul_pointers(draft))
    return found


def _nul_pointers(draft: Draft) -> list[str]:
    return [
        pointer
        for pointer, value in (
            ("/template_variables", draft.template_variables),
            ("/metadata", draft.metadata),
        )
        if _has_nul(value)
    ]


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(_has_nul(v) for v in value)


def _time_errors(draft: Draft, now: datetime) -> list[tuple[str, str | None]]:
    if draft.expires_at is None:
        return []
    if draft.expires_at <= now:
        return [("/expires_at", "must lie in the future")]
    if draft.scheduled_at is not None and draft.expires_at <= draft.scheduled_at:
        return [("/expires_at", "must be later than `scheduled_at`")]
    return []
