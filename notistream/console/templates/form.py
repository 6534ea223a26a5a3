"""The form of a template: its fields as somebody typed them, and what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson
from multidict import MultiDict

from notistream.domain.notification import CHANNEL_NAMES
from notistream.domain.recipient import locale_error
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.fields import json_object

PARTS = ("tag", "subject", "body", "html")


@dataclass(frozen=True, slots=True)
class Written:
    """Fields of one language; of the text for everybody the tag is empty."""

    tag: str = ""
    subject: str = ""
    body: str = ""
    html: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nobody wrote here."""
        return not (self.tag or self.subject or self.body or self.html)

    def text(self) -> TemplateText:
        return TemplateText(self.subject or None, self.body, self.html or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateForm:
    """All fields; `texts` begins with the one for everybody."""

    tenant: str
    name: str
    channel: str
    version: str = ""
    """The one that saving replaces."""
    is_active: bool = True
    texts: Sequence[Written]
    variables: str = "{}"
    locale: str = ""
    recipient: str = ""
    """Of a test."""

    def content(self) -> TemplateVersion:
        """Raises InvalidRequest where a language has no tag, or one is there twice."""
        everybody, *others = self.texts
        written = [one for one in others if not one.is_blank]
        tags = [one.tag for one in written]
        wrong = (
            [FieldError("/variants", "every language needs its tag, such as pt or pt-BR")]
            if "" in tags
            else [
                FieldError(f"/variants/{tag}", "is there twice")
                for tag in dict.fromkeys(tags)
                if tags.count(tag) > 1
            ]
        )
        if wrong:
            raise InvalidRequest(wrong)
        return TemplateVersion(everybody.text(), {one.tag: one.text() for one in written})

    def values(self) -> tuple[Mapping[str, Any], str | None]:
        """Variables and language to try it with; raises InvalidRequest."""
        try:
            given = orjson.loads(self.variables.strip() or "{}")
            variables = json_object(given) if isinstance(given, dict) else None
        except ValueError as exc:
            raise InvalidRequest(
                [FieldError("/variables", f"must be a JSON object: {exc}")]
            ) from None
        if variables is None:
            raise InvalidRequest(
                [FieldError("/variables", 'must be a JSON object, such as {"name": "Ada"}')]
            )
        if self.locale and (error := locale_error(self.locale)):
            raise InvalidRequest([FieldError("/locale", error)])
        return variables, self.locale or None

    def expected(self) -> int | None:
        """The version that saving replaces."""
        return number(self.version)


def number(text: str | None) -> int | None:
    """Of a version; None where it is no number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def read(fields: MultiDict[str]) -> TemplateForm:
    """As a browser sends it: with line ends of two characters."""
    columns = [[_lines(value) for value in fields.getall(part, [])] for part in PARTS]
    texts = [
        Written(tag.strip(), subject, body, html)
        for tag, subject, body, html in zip_longest(*columns, fillvalue="")
    ]
    return TemplateForm(
        tenant=fields.get("tenant", "").strip(),
        name=fields.get("name", "").strip(),
        channel=fields.get("channel", ""),
        version=fields.get("version", ""),
        is_active="is_active" in fields,
        texts=texts or [Written()],
        variables=_lines(fields.get("variables", "")),
        locale=fields.get("locale", "").strip(),
        recipient=fields.get("recipient", "").strip(),
    )


def filled(
    content: TemplateVersion,
    *,
    tenant: str,
    name: str,
    channel: str,
    version: int | None = None,
    is_active: bool = True,
    sample: Mapping[str, Any] | None = None,
) -> TemplateForm:
    """A form that shows what is stored."""
    return TemplateForm(
        tenant=tenant,
        name=name,
        channel=CHANNEL_NAMES[channel],
        version=str(version or ""),
        is_active=is_active,
        texts=[
            _written("", content.text),
            *(_written(tag, text) for tag, text in content.variants.items()),
        ],
        variables=orjson.dumps(sample or {}, option=orjson.OPT_INDENT_2).decode(),
    )


def _written(tag: str, text: TemplateText) -> Written:
    return Written(tag, text.subject or "", text.body, text.html or "")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
