"""Previews of templates: the text with these values, what is missing, and its length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notistream.domain.sms import Segments, segments
from notistream.domain.template import InvalidTemplateError, RenderError, compiled, render
from notistream.domain.template_text import TemplateText
from notistream.domain.validation import length_error, subject_error


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a part would not be sent."""

    part: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePreview:
    """A part that cannot be rendered is None and has a fault.

    `missing` variables are needed, `unused` not read.
    """

    parts: Mapping[str, str | None]
    variables: Sequence[str]
    missing: Sequence[str]
    unused: Sequence[str]
    faults: Sequence[Fault]
    characters: int | None
    limit: int
    sms: Segments | None


def preview(
    text: TemplateText, variables: Mapping[str, Any], *, channel: str, limit: int
) -> TemplatePreview:
    """Each part on its own; `limit` is the channel's, in characters.

    Raises:
        InvalidTemplateError: a part is not a template.
    """
    sources = text.parts()
    read = {part: compiled(source, html=part == "html") for part, source in sources.items()}
    names = frozenset[str]().union(*(one.variables for one in read.values()))
    needed = frozenset[str]().union(*(one.required for one in read.values()))
    parts, faults = _rendered(sources, variables)
    body = parts.get("body")
    if body is not None and (too_long := length_error(body, limit)):
        faults.append(Fault("body", f"the rendered text {too_long}"))
    return TemplatePreview(
        parts=parts,
        variables=sorted(names),
        missing=sorted(needed - variables.keys()),
        unused=sorted(variables.keys() - names),
        faults=faults,
        characters=None if body is None else len(body),
        limit=limit,
        sms=segments(body) if channel == "sms" and body is not None else None,
    )


def _rendered(
    sources: Mapping[str, str], variables: Mapping[str, Any]
) -> tuple[dict[str, str | None], list[Fault]]:
    parts: dict[str, str | None] = {}
    faults: list[Fault] = []
    for part, source in sources.items():
        try:
            parts[part] = render(source, variables, html=part == "html")
        except (RenderError, InvalidTemplateError) as exc:
            parts[part] = None
            faults.append(Fault(part, str(exc)))
    subject = parts.get("subject")
    if subject is not None and (error := subject_error(subject)):
        faults.append(Fault("subject", f"the rendered subject {error}"))
    return parts, faults
