"""What a template says in each language, and which of them a reader gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from notistream.domain.recipient import locale_error
from notistream.domain.template import RenderError, render
from notistream.domain.validation import subject_error

MAX_VARIANTS = 50


@dataclass(frozen=True, slots=True)
class TemplateText:
    """Subject, text and HTML in one language, as templates."""

    subject: str | None
    body: str
    html: str | None = None

    def parts(self) -> Mapping[str, str]:
        """The templates that there are, by the name of their field."""
        named = (("subject", self.subject), ("body", self.body), ("html", self.html))
        return {name: text for name, text in named if text is not None}


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent."""

    subject: str | None
    body: str
    html: str | None = None


def rendered(
    text: TemplateText, variables: Mapping[str, Any], *, subject: str | None = None
) -> Rendered:
    """All parts; `subject`, where given, instead of the template's.

    Raises:
        RenderError: a part cannot be rendered, or the subject could not stand in a header.
        InvalidTemplateError: a part is not a template.
    """
    shown = subject
    if shown is None and text.subject is not None:
        shown = render(text.subject, variables)
        if error := subject_error(shown):
            raise RenderError(f"the subject {error}")
    return Rendered(
        shown,
        render(text.body, variables),
        render(text.html, variables, html=True) if text.html else None,
    )


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One version of a template: a text for everybody, and variants by language tag."""

    text: TemplateText
    variants: Mapping[str, TemplateText] = field(default_factory=dict)

    def for_locale(self, locale: str | None) -> tuple[str | None, TemplateText]:
        """The variant and its tag: pt-BR, else pt, else the text for all, whose subject it has."""
        tags = {tag.lower(): tag for tag in self.variants}
        for wanted in fallbacks(locale) if tags else ():
            if tag := tags.get(wanted):
                text = self.variants[tag]
                return tag, TemplateText(text.subject or self.text.subject, text.body, text.html)
        return None, self.text


def fallbacks(locale: str | None) -> list[str]:
    """A language tag and what stands in for it, in lower case: RFC 4647, section 3.4, look-up."""
    parts, found = locale.lower().split("-") if locale else [], []
    while parts:
        found.append("-".join(parts))
        parts.pop()
        while parts and len(parts[-1]) == 1:
            parts.pop()
    return found


def variant_errors(tags: Sequence[str]) -> list[tuple[str, str]]:
    """What is wrong with the tags of variants, each with the tag."""
    found = [(tag, error) for tag in tags if (error := locale_error(tag))]
    lowered = [tag.lower() for tag in tags]
    found += [(tag, "is there twice") for tag in tags if lowered.count(tag.lower()) > 1]
    if len(tags) > MAX_VARIANTS:
        found.append((tags[MAX_VARIANTS], f"is one too many: at most {MAX_VARIANTS} variants"))
    return found
