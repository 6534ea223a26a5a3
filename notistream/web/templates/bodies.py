"""Request bodies of templates, aliases included, and how they become versions."""

from collections.abc import Mapping
from typing import Annotated, Any, Required

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.templates import Replacement
from notistream.domain.recipient import locale_error
from notistream.domain.template_text import MAX_VARIANTS, TemplateText, TemplateVersion
from notistream.errors import FieldError, InvalidRequest
from notistream.templates.library import TemplateDraft
from notistream.web.server.fields import STRICT, ChannelName, JsonObject, Text, either

Html = Annotated[
    Text | None, Field(description="Template of an e-mail's HTML; values in it are escaped.")
]


@with_config(STRICT)
class Variant(TypedDict, total=False):
    """The texts in one language; without a subject, the template's own subject is used."""

    subject: Annotated[Text | None, Field(description="Template of the subject.")]
    body: Required[Annotated[Text, Field(description="Template of the text.")]]
    html: Html


@with_config(STRICT)
class Content(TypedDict, total=False):
    """A text with variables: sandboxed Jinja2 (`{{ Name }}`), or Go's `{{.Name}}`."""

    subject: Annotated[Text | None, Field(description="Template of the subject.")]
    subject_template: Annotated[Text | None, Field(description="Alias of `subject`.")]
    body: Annotated[
        Text | None,
        Field(description="Template of the text. Required, here or as `body_template`."),
    ]
    body_template: Annotated[Text | None, Field(description="Alias of `body`.")]
    html: Html
    variants: Annotated[
        dict[str, Variant] | None,
        Field(
            description=(
                f"By language tag, such as `pt` or `pt-BR`; at most {MAX_VARIANTS}. A reader of"
                " pt-BR gets pt-BR, else pt, else the text for everybody."
            )
        ),
    ]


@with_config(STRICT)
class CreateTemplate(Content, total=False):
    """A text with variables: sandboxed Jinja2 (`{{ Name }}`), or Go's `{{.Name}}`."""

    name: Required[Annotated[Text, Field(description="Unique per tenant and channel.")]]
    channel: Required[Annotated[ChannelName, Field(description="`inapp` is an alias of `in_app`.")]]
    metadata: Annotated[
        JsonObject | None, Field(description="Kept and returned, never interpreted.")
    ]
    is_active: Annotated[bool | None, Field(description="Default true.")]


@with_config(STRICT)
class ReplaceTemplate(Content, total=False):
    """The next version; subject, HTML and variants that are left out are gone in it."""

    version: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31 - 1,
            description="The version that this replaces; another one by now is 409.",
        ),
    ]
    name: Annotated[Text | None, Field(description="As it is; a template keeps its name.")]
    channel: Annotated[ChannelName | None, Field(description="As it is.")]
    metadata: Annotated[JsonObject | None, Field(description="Left out: as it was.")]
    is_active: Annotated[
        bool | None, Field(description="Left out: as it was. false: nothing new is made from it.")
    ]


@with_config(STRICT)
class PreviewStored(TypedDict, total=False):
    """Values to try a template with."""

    template_variables: Annotated[JsonObject | None, Field(description="Values for the template.")]
    variables: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]
    payload: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]
    locale: Annotated[
        Text | None, Field(description="Language (BCP 47); left out: the text for everybody.")
    ]


@with_config(STRICT)
class PreviewUnsaved(Content, total=False):
    """A template that is not stored, and values to try it with."""

    channel: Required[Annotated[ChannelName, Field(description="`inapp` is an alias of `in_app`.")]]
    template_variables: Annotated[JsonObject | None, Field(description="Values for the template.")]
    variables: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]
    payload: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]
    locale: Annotated[
        Text | None, Field(description="Language (BCP 47); left out: the text for everybody.")
    ]


CREATE: TypeAdapter[CreateTemplate] = TypeAdapter(CreateTemplate)
REPLACE: TypeAdapter[ReplaceTemplate] = TypeAdapter(ReplaceTemplate)
PREVIEW_STORED: TypeAdapter[PreviewStored] = TypeAdapter(PreviewStored)
PREVIEW_UNSAVED: TypeAdapter[PreviewUnsaved] = TypeAdapter(PreviewUnsaved)


def template_draft(wanted: CreateTemplate) -> TemplateDraft:
    """Raises InvalidRequest where the text is missing, or an alias contradicts."""
    return TemplateDraft(
        name=wanted["name"],
        channel=wanted["channel"],
        content=content(wanted),
        metadata=wanted.get("metadata") or {},
        is_active=wanted.get("is_active") is not False,
    )


def content(wanted: Content) -> TemplateVersion:
    """Raises InvalidRequest where the text is missing, or an alias contradicts."""
    body = either(wanted.get("body"), wanted.get("body_template"), alias="body_template", of="body")
    if body is None:
        raise InvalidRequest([FieldError("/body", "is required")])
    subject = either(
        wanted.get("subject"),
        wanted.get("subject_template"),
        alias="subject_template",
        of="subject",
    )
    return TemplateVersion(
        TemplateText(subject, body, wanted.get("html")),
        {
            tag: TemplateText(said.get("subject"), said["body"], said.get("html"))
            for tag, said in (wanted.get("variants") or {}).items()
        },
    )


def replacement(wanted: ReplaceTemplate) -> Replacement:
    """Raises InvalidRequest as `content`."""
    return Replacement(
        content=content(wanted),
        metadata=wanted.get("metadata"),
        is_active=wanted.get("is_active"),
        expected=wanted.get("version"),
    )


def values(wanted: PreviewStored | PreviewUnsaved) -> tuple[Mapping[str, Any], str | None]:
    """Return variables and locale; raises InvalidRequest for bad aliases or a bad locale."""
    of = "template_variables"
    given: Mapping[str, Any] | None = wanted.get("template_variables")
    given = either(given, wanted.get("payload"), alias="payload", of=of)
    given = either(given, wanted.get("variables"), alias="variables", of=of)
    locale = wanted.get("locale")
    if locale is not None and (error := locale_error(locale)):
        raise InvalidRequest([FieldError("/locale", error)])
    return given or {}, locale
