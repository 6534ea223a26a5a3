"""JSON shapes of tenants and keys, for requests and answers, and what fills them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.access.tenants import LONGEST_OVERLAP, MAX_NAME, OVERLAP, IssuedKey
from notistream.db.tenants import StoredKey, StoredTenant
from notistream.web.server.fields import STRICT, Moment, Text

Kind = Literal["live", "test"]


@with_config(STRICT)
class CreateTenant(TypedDict):
    """A tenant: an isolated customer of this installation."""

    name: Annotated[
        Text, Field(min_length=1, max_length=MAX_NAME, description="Not another tenant's.")
    ]


@with_config(STRICT)
class IssueKey(TypedDict, total=False):
    """What the key is for, and how long."""

    name: Annotated[
        Text | None,
        Field(
            min_length=1,
            max_length=MAX_NAME,
            description="What it is for; several may have the same. Default: default.",
        ),
    ]
    kind: Annotated[
        Kind | None,
        Field(
            description="Default live. What is sent with a test key never reaches a real provider."
        ),
    ]
    expires_at: Annotated[
        Moment | None, Field(description="When it stops working. Default: never.")
    ]


@with_config(STRICT)
class RotateKey(TypedDict, total=False):
    """How the new key takes the place of the old one."""

    overlap_s: Annotated[
        int | None,
        Field(
            ge=0,
            le=int(LONGEST_OVERLAP.total_seconds()),
            description=(
                f"Seconds for which the old key still works. Default {OVERLAP.total_seconds():.0f},"
                " a day."
            ),
        ),
    ]
    expires_at: Annotated[
        Moment | None,
        Field(
            description=(
                "When the new key stops working. Default: it lives as long as the old one was"
                " meant to."
            )
        ),
    ]


CREATE_TENANT: TypeAdapter[CreateTenant] = TypeAdapter(CreateTenant)
ISSUE_KEY: TypeAdapter[IssueKey] = TypeAdapter(IssueKey)
ROTATE_KEY: TypeAdapter[RotateKey] = TypeAdapter(RotateKey)


class TenantView(TypedDict):
    """A tenant."""

    id: UUID
    name: str
    created_at: datetime


class TenantPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[TenantView]
    next_cursor: str | None


class KeyView(TypedDict):
    """What is known of a key; not the key itself."""

    id: UUID
    tenant_id: UUID
    name: str
    kind: Kind
    prefix: Annotated[
        str, Field(description="The first characters of the key, by which it is known.")
    ]
    created_at: datetime
    expires_at: Annotated[datetime | None, Field(description="When it stops working; null: never.")]
    last_used_at: Annotated[datetime | None, Field(description="To the minute or so; null: never.")]
    revoked_at: datetime | None
    replaced_by: Annotated[
        UUID | None, Field(description="The key that a rotation has made of it.")
    ]


class NewKeyView(KeyView):
    """A new key, shown once."""

    key: Annotated[str, Field(description="The key. It is not stored and cannot be shown again.")]
    api_key: Annotated[str, Field(description="The same as `key`.")]


class KeyPage(TypedDict):
    """Newest first, those that have ended included; `next_cursor` is null on the last page."""

    data: list[KeyView]
    next_cursor: str | None


def tenant(found: StoredTenant) -> TenantView:
    return {"id": found.id, "name": found.name, "created_at": found.created_at}


def tenant_page(found: Sequence[StoredTenant], size: int) -> TenantPage:
    return {
        "data": [tenant(one) for one in found[:size]],
        "next_cursor": str(found[size - 1].id) if len(found) > size else None,
    }


def key(found: StoredKey) -> KeyView:
    kind: Kind = "test" if found.kind == "test" else "live"
    return {
        "id": found.id,
        "tenant_id": found.tenant_id,
        "name": found.name,
        "kind": kind,
        "prefix": found.prefix,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "last_used_at": found.last_used_at,
        "revoked_at": found.revoked_at,
        "replaced_by": found.replaced_by,
    }


def new_key(issued: IssuedKey) -> NewKeyView:
    return {**key(issued.stored), "key": issued.secret, "api_key": issued.secret}


def key_page(found: Sequence[StoredKey], size: int) -> KeyPage:
    return {
        "data": [key(one) for one in found[:size]],
        "next_cursor": str(found[size - 1].id) if len(found) > size else None,
    }
