"""The event: something that happened and that others may be told of; how the topic `events` carries it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter, ValidationError


@dataclass(frozen=True, slots=True)
class Event:
    """`id` stays the same when it is told again; `type` such as `notification.delivered`.

    `data` of a notification's event: notification_id, status, reason, channel, priority, recipient_id, batch_id,
    category, attempts, chain, provider, provider_message_id, test; what is not known is left out.
    """

    id: UUID
    type: str
    at: AwareDatetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Events:
    """What one record of the topic carries: events of one tenant, oldest first."""

    v: Literal[1]
    tenant_id: UUID
    events: list[Event]


_EVENTS = TypeAdapter(Events)


def decode_events(value: bytes | None) -> Events:
    """The events of a record's bytes.

    Raises:
        ValueError: no bytes, not JSON, a missing or wrong field, or an unknown version.
    """
    if value is None:
        raise ValueError("the record has no value")
    try:
        return _EVENTS.validate_json(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}") from None
