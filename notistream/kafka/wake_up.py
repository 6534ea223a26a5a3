"""The wake-up: the versioned record that says that a notification is queued."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A notification is queued (or due at `due_at`, seconds since 1970).

    Everything else is in PostgreSQL.

    Unknown fields of a newer version survive: they are ignored, and `v` says when they may not be.
    """

    id: UUID
    seq: Annotated[int, Field(ge=1, le=2**31 - 1)]
    v: Literal[1]
    due_at: float | None = None


WAKE_UP = TypeAdapter(WakeUp)


class UndecodableError(ValueError):
    """A record that is not one of ours, with the reason in words."""


def decode_wake_up(value: bytes | None) -> WakeUp:
    """The message of a record's bytes.

    Raises:
        UndecodableError: no bytes, not JSON, a missing or wrong field, or an unknown version.
    """
    if value is None:
        raise UndecodableError("the record has no value")
    try:
        return WAKE_UP.validate_json(value)
    except ValidationError as exc:
        raise UndecodableError(first_fault(exc)) from None


def first_fault(error: ValidationError) -> str:
    """Where a record is wrong, and what is wrong there."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "value"
    return f"{where}: {first['msg']}"
