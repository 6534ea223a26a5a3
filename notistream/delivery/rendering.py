"""Rendering at delivery: the text of the accepted template version, or the content that stands in for it."""

from collections.abc import Callable
from dataclasses import dataclass

from notistream.delivery.ports import TemplateSources
from notistream.domain.notification import Claimed
from notistream.domain.outcome import Step
from notistream.domain.template import InvalidTemplateError, RenderError, render
from notistream.domain.validation import length_error


@dataclass(frozen=True, slots=True)
class Text:
    """The rendered message, and how it came about."""

    subject: str | None
    content: str
    step: Step | None = None


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
        """The text to send, within the channel's limit.

        Raises:
            DatabaseUnavailable: the template could not be read.
        """
        text = await self._text(claimed)
        if isinstance(text, Text) and (error := length_error(text.content, self._limits(claimed.channel))):
            return Unrenderable(f"the rendered text {error}")
        return text

    async def _text(self, claimed: Claimed) -> Text | Unrenderable:
        if claimed.template_id is None:
            return Text(claimed.subject, claimed.content or "")
        try:
            subject, body = await self._source(claimed)
            shown = claimed.subject or (render(subject, claimed.template_variables) if subject else None)
            return Text(shown, render(body, claimed.template_variables))
        except (RenderError, InvalidTemplateError) as exc:
            reason = f"rendering failed: {exc}"
            if not claimed.content:
                return Unrenderable(reason)
            return Text(claimed.subject, claimed.content, Step(
                gate="render", verdict="fallback", reason=f"{reason}; `content` is sent instead"))

    async def _source(self, claimed: Claimed) -> tuple[str | None, str]:
        source = await self._sources.source(claimed)
        if source is None:
            raise RenderError("the template version is gone")
        return source
