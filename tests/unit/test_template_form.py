"""The form of a template: what its fields mean, and what is wrong with them."""

import pytest
from multidict import MultiDict

from notistream.console.templates.form import TemplateHead, filled, number, read
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.errors import InvalidRequest


def form(*texts, **fields):
    """A form as a browser sends it: (tag, subject, body, html) of each language, in order."""
    sent = MultiDict(fields)
    for text in texts:
        for part, value in zip(("tag", "subject", "body", "html"), text, strict=True):
            sent.add(part, value)
    return read(sent)


def test_what_is_shown_comes_back_as_it_was():
    content = TemplateVersion(
        TemplateText("S {{ n }}", "line\nline", "<p>"),
        {"pt": TemplateText(None, "Olá"), "tr": TemplateText("T", "b", "<i>")},
    )
    shown = filled(
        TemplateHead(tenant="t", name="n", channel="email", version=3), content, {"n": "n"}
    )
    assert shown.content() == content
    assert shown.expected() == 3
    assert shown.values() == ({"n": "n"}, None)


def test_line_ends_and_blank_languages():
    read_back = form(
        ("", "", "a\r\nb", ""), ("", "", "", ""), ("pt ", "", "c", ""), tenant=" t ", locale=" pt "
    )
    assert read_back.content() == TemplateVersion(
        TemplateText(None, "a\nb"), {"pt": TemplateText(None, "c")}
    )
    assert (read_back.tenant, read_back.locale, read_back.is_active) == ("t", "pt", False)


@pytest.mark.parametrize(
    ("texts", "pointer"),
    [
        ([("", "", "a", ""), ("", "", "b", "")], "/variants"),
        ([("", "", "a", ""), ("pt", "", "b", ""), ("pt", "", "c", "")], "/variants/pt"),
    ],
)
def test_languages_need_a_tag_of_their_own(texts, pointer):
    with pytest.raises(InvalidRequest) as raised:
        form(*texts).content()
    assert [e.pointer for e in raised.value.errors] == [pointer]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"variables": "{"}, "/variables"),
        ({"variables": "[]"}, "/variables"),
        ({"variables": '{"a": "\\u0000"}'}, "/variables"),
        ({"variables": "null"}, "/variables"),
        ({"locale": "not a language"}, "/locale"),
    ],
)
def test_values_must_be_an_object_and_a_language(fields, pointer):
    with pytest.raises(InvalidRequest) as raised:
        form(("", "", "a", ""), **fields).values()
    assert [e.pointer for e in raised.value.errors] == [pointer]


def test_no_variables_are_an_empty_object():
    assert form(("", "", "a", ""), variables=" ").values() == ({}, None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("3", 3), ("", None), (None, None), ("x", None), ("٣", None), ("-1", None), ("9" * 10, None)],
)
def test_numbers(text, meant):
    assert number(text) == meant


def test_a_form_without_fields_is_an_empty_text():
    assert read(MultiDict()).content() == TemplateVersion(TemplateText(None, ""))
