"""The form of a template: its fields as typed, and their meaning."""

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
class LanguageFields:
    """The fields of one language; the default text has an empty tag."""

    tag: str = ""
    subject: str = ""
    body: str = ""
    html: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether all fields are empty."""
        return not (self.tag or self.subject or self.body or self.html)

    def text(self) -> TemplateText:
        return TemplateText(self.subject or None, self.body, self.html or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateHead:
    """What a template has beside its texts; `version` None: it is not stored yet."""

    tenant: str
    name: str
    channel: str
    version: int | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateForm:
    """All fields; `texts` begins with the default text."""

    tenant: str
    name: str
    channel: str
    version: str = ""
    """The version that saving replaces."""
    is_active: bool = True
    texts: Sequence[LanguageFields]
    variables: str = "{}"
    locale: str = ""
    recipient: str = ""
    """The recipient of a test."""

    def content(self) -> TemplateVersion:
        """The texts; raises InvalidRequest where a tag is missing or occurs twice."""
        default, *others = self.texts
        written = [one for one in others if not one.is_blank]
        tags = [one.tag for one in written]
        wrong = (
            [FieldError("/variants", "every language needs its tag, such as pt or pt-BR")]
            if "" in tags
            else [
                FieldError(f"/variants/{tag}", "occurs twice")
                for tag in dict.fromkeys(tags)
                if tags.count(tag) > 1
            ]
        )
        if wrong:
            raise InvalidRequest(wrong)
        return TemplateVersion(default.text(), {one.tag: one.text() for one in written})

    def values(self) -> tuple[Mapping[str, Any], str | None]:
        """Variables and language for the preview; raises InvalidRequest."""
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
    """The number of a version; None where the text is not one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def read(fields: MultiDict[str]) -> TemplateForm:
    """The submitted form; browsers send line ends of two characters."""
    columns = [[_lines(value) for value in fields.getall(part, [])] for part in PARTS]
    texts = [
        LanguageFields(tag.strip(), subject, body, html)
        for tag, subject, body, html in zip_longest(*columns, fillvalue="")
    ]
    return TemplateForm(
        tenant=fields.get("tenant", "").strip(),
        name=fields.get("name", "").strip(),
        channel=fields.get("channel", ""),
        version=fields.get("version", ""),
        is_active="is_active" in fields,
        texts=texts or [LanguageFields()],
        variables=_lines(fields.get("variables", "")),
        locale=fields.get("locale", "").strip(),
        recipient=fields.get("recipient", "").strip(),
    )


def filled(
    head: TemplateHead, content: TemplateVersion, sample: Mapping[str, Any] | None = None
) -> TemplateForm:
    """The form for a text; `sample` holds values for the preview."""
    return TemplateForm(
        tenant=head.tenant,
        name=head.name,
        channel=CHANNEL_NAMES[head.channel],
        version=str(head.version or ""),
        is_active=head.is_active,
        texts=[
            _language("", content.text),
            *(_language(tag, text) for tag, text in content.variants.items()),
        ],
        variables=orjson.dumps(sample or {}, option=orjson.OPT_INDENT_2).decode(),
    )


def _language(tag: str, text: TemplateText) -> LanguageFields:
    return LanguageFields(tag, text.subject or "", text.body, text.html or "")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
