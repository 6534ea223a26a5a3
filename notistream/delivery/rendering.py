"""Rendering at delivery: the text of the accepted template version, or its fallback `content`."""

from collections.abc import Callable
from dataclasses import dataclass

from notistream.delivery.ports import TemplateSources
from notistream.domain.notification import Claimed
from notistream.domain.outcome import Step
from notistream.domain.template import InvalidTemplateError, RenderError
from notistream.domain.template_text import rendered
from notistream.domain.validation import length_error, subject_error


@dataclass(frozen=True, slots=True)
class Text:
    """The rendered message, and how it came about."""

    subject: str | None
    content: str
    step: Step | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Unrenderable:
    """There is no text to send."""

    reason: str


class Renderer:
    """Renders claimed notifications; `limits` are characters per channel."""

    def __init__(self, sources: TemplateSources, limits: Callable[[str], int]) -> None:
        self._sources = sources
        self._limits = limits

    async def text(self, claimed: Claimed) -> Text | Unrenderable:
        """The text to send, within the channel's limit, under a subject that can stand in a header.

        Raises:
            DatabaseUnavailable: the template could not be read.
        """
        text = await self._text(claimed)
        if isinstance(text, Unrenderable):
            return text
        if error := length_error(text.content, self._limits(claimed.channel)):
            return Unrenderable(f"the rendered text {error}")
        if text.subject is not None and (error := subject_error(text.subject)):
            return Unrenderable(f"the subject {error}")
        return text

    async def _text(self, claimed: Claimed) -> Text | Unrenderable:
        if claimed.template_id is None:
            return Text(claimed.subject, claimed.content or "")
        try:
            return await self._templated(claimed)
        except (RenderError, InvalidTemplateError) as exc:
            reason = f"rendering failed: {exc}"
            if not claimed.content:
                return Unrenderable(reason)
            return Text(
                claimed.subject,
                claimed.content,
                Step(
                    gate="render", verdict="fallback", reason=f"{reason}; `content` is sent instead"
                ),
            )

    async def _templated(self, claimed: Claimed) -> Text:
        version = await self._sources.source(claimed)
        if version is None:
            raise RenderError("the template version is gone")
        variant, text = version.for_locale(claimed.locale)
        made = rendered(text, claimed.template_variables, subject=claimed.subject)
        return Text(made.subject, made.body, _how(claimed, variant), made.html)


def _how(claimed: Claimed, variant: str | None) -> Step:
    version, locale = claimed.template_version, claimed.locale
    said = f"variant {variant}" if variant else "the text for everybody"
    return Step(
        gate="render",
        verdict="passed",
        reason=f"version {version} of the template, {said}",
        inputs={
            "template": claimed.template_name,
            "version": version,
            "locale": locale,
            "variant": variant,
        },
    )
