"""Answers about templates: their JSON shapes, and what fills them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.records import StoredTemplate, StoredTemplateVersion
from notistream.domain.sms import Segments
from notistream.domain.template_preview import TemplatePreview
from notistream.domain.template_text import TemplateText, TemplateVersion


class VariantView(TypedDict):
    """The texts in one language."""

    subject: str | None
    body: str
    html: str | None


class TemplateView(TypedDict):
    """The current version of a template."""

    id: UUID
    tenant_id: UUID
    name: str
    channel: str
    version: int
    subject: str | None
    body: str
    html: str | None
    variants: Annotated[Mapping[str, VariantView], Field(description="By language tag.")]
    metadata: Mapping[str, Any]
    is_active: bool
    created_at: datetime
    updated_at: datetime


class TemplatePage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[TemplateView]
    next_cursor: str | None


class TemplateVersionView(TypedDict):
    """One version of a template; versions never change."""

    version: int
    subject: str | None
    body: str
    html: str | None
    variants: Mapping[str, VariantView]
    created_at: datetime


class TemplateVersionPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[TemplateVersionView]
    next_cursor: str | None


class SegmentsView(TypedDict):
    """The alphabet and segments of a text as SMS."""

    encoding: Annotated[
        str, Field(description="GSM-7, or UCS-2 where a character is not in GSM-7.")
    ]
    units: Annotated[
        int, Field(description="Septets or 16-bit units; ^ { } \\ [ ~ ] | € are two septets.")
    ]
    segments: Annotated[int, Field(description="Messages that are paid for.")]
    per_segment: Annotated[int, Field(description="160 or 153 (GSM-7), 70 or 67 (UCS-2).")]
    not_gsm: Annotated[list[str], Field(description="The characters that make it UCS-2.")]


class FaultView(TypedDict):
    """Why a part would not be sent."""

    part: str
    message: str


class TemplatePreviewView(TypedDict):
    """What would be sent with these values. Nothing was sent or stored."""

    subject: str | None
    body: Annotated[str | None, Field(description="null: cannot be rendered; `errors` says why.")]
    html: str | None
    variant: Annotated[
        str | None,
        Field(description="Language tag of the variant used; null: the text for everybody."),
    ]
    variables: Annotated[list[str], Field(description="All that the template reads.")]
    missing: Annotated[list[str], Field(description="Those that it needs and that are not given.")]
    unused: Annotated[list[str], Field(description="Given, and not read.")]
    characters: Annotated[int | None, Field(description="Of the rendered body.")]
    limit: Annotated[int, Field(description="Of the channel, in characters.")]
    sms: Annotated[SegmentsView | None, Field(description="For channel sms.")]
    errors: list[FaultView]


def _text(text: TemplateText) -> VariantView:
    return {"subject": text.subject, "body": text.body, "html": text.html}


def _variants(content: TemplateVersion) -> Mapping[str, VariantView]:
    return {tag: _text(text) for tag, text in content.variants.items()}


def template(stored: StoredTemplate) -> TemplateView:
    return {
        "id": stored.id,
        "tenant_id": stored.tenant_id,
        "name": stored.name,
        "channel": stored.channel,
        "version": stored.version,
        **_text(stored.content.text),
        "variants": _variants(stored.content),
        "metadata": stored.metadata,
        "is_active": stored.is_active,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    }


def template_page(found: Sequence[StoredTemplate], size: int) -> TemplatePage:
    cursor = _next_cursor(found, size)
    return {
        "data": [template(stored) for stored in found[:size]],
        "next_cursor": str(cursor) if cursor else None,
    }


def version_page(found: Sequence[StoredTemplateVersion], size: int) -> TemplateVersionPage:
    shown: list[TemplateVersionView] = [
        {
            "version": one.version,
            **_text(one.content.text),
            "variants": _variants(one.content),
            "created_at": one.created_at,
        }
        for one in found[:size]
    ]
    return {"data": shown, "next_cursor": str(shown[-1]["version"]) if len(found) > size else None}


def segments(found: Segments) -> SegmentsView:
    return {
        "encoding": found.encoding,
        "units": found.units,
        "segments": found.segments,
        "per_segment": found.per_segment,
        "not_gsm": list(found.not_gsm),
    }


def preview(found: TemplatePreview, variant: str | None) -> TemplatePreviewView:
    return {
        "subject": found.parts.get("subject"),
        "body": found.parts.get("body"),
        "html": found.parts.get("html"),
        "variant": variant,
        "variables": list(found.variables),
        "missing": list(found.missing),
        "unused": list(found.unused),
        "characters": found.characters,
        "limit": found.limit,
        "sms": segments(found.sms) if found.sms else None,
        "errors": [{"part": fault.part, "message": fault.message} for fault in found.faults],
    }


def _next_cursor(page: Sequence[StoredTemplate], size: int) -> UUID | None:
    """Return the cursor of the next page; None if this is the last."""
    return page[size - 1].id if len(page) > size else None
