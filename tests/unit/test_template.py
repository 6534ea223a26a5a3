"""Templates: Jinja2 in a sandbox, and the Go style translated."""

import pytest

from notistream.domain.template import InvalidTemplateError, RenderError, missing, render, to_jinja


@pytest.mark.parametrize(
    ("source", "variables", "text"),
    [
        ("Hello {{.Name}}, welcome! Your code: {{.Code}}.", {"Name": "Mehmet", "Code": "42"},
         "Hello Mehmet, welcome! Your code: 42."),
        ("{{ .A.B }}", {"A": {"B": 1}}, "1"),
        ("{{if .X}}yes{{else}}no{{end}}", {}, "no"),
        ("{{if .X}}yes{{else}}no{{end}}", {"X": 1}, "yes"),
        ("{{if .X}}a{{else if .Y}}b{{end}}", {"Y": True}, "b"),
        ("{{range .Xs}}[{{.}}]{{end}}", {"Xs": [1, 2]}, "[1][2]"),
        ("{{range .Xs}}{{.N}}{{else}}none{{end}}", {"Xs": []}, "none"),
        ("{{range .Rows}}{{range .Cells}}{{.}}{{end}};{{end}}", {"Rows": [{"Cells": [1]}, {"Cells": [2]}]}, "1;2;"),
        ("a {{- .X -}} b", {"X": 1}, "a1b"),
        ("{{ name|upper }} {% if a %}b{% endif %}", {"name": "x", "a": 1}, "X b"),
        ("{{ 2 * 3 }}", {}, "6"),
        ("<b>{{ x }}</b>", {"x": "<i>"}, "<b><i></b>"),
    ],
)
def test_renders(source, variables, text):
    assert render(source, variables) == text


@pytest.mark.parametrize(
    "source",
    ["{{ .Name | upper }}", "{{with .X}}{{end}}", '{{printf "%s" .N}}', "{{if eq .A 1}}x{{end}}", "{{$x := .A}}",
     "{{len .Xs}}", "{{if .X}}", "{% set a = 1 %}", "{% macro m() %}{% endmacro %}", "{{ a" + "~a" * 40 + " }}",
     "{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}",
     "{% for %}", "{{ a", "x" * 64_001],
)
def test_refuses_what_it_cannot_translate(source):
    with pytest.raises(InvalidTemplateError):
        to_jinja(source) and render(source, {})


@pytest.mark.parametrize(
    "source",
    ["{{ missing }}", "{{ 'a' * 10**9 }}", "{{ ''.__class__.__mro__ }}", "{{ x.__init__.__globals__ }}",
     "{% for i in range(10**9) %}{% endfor %}", "{{ '%1000000000d' % 1 }}", "{{ cycler.__init__ }}",
     "{{ x|attr('__class__') }}", "{{ [1] * 10 }}", "{{ 1/0 }}", "{{ '\\x00' }}", "{{ '\\ud800' }}",
     "{{ ('x' ~ x)|replace('', big) }}", "{{ big.split('')|join(big) }}", "{{ [big, big]|join(big) }}",
     "{{ big + big }}"],
)
def test_forbidden_or_impossible_is_an_error_with_words(source):
    with pytest.raises(RenderError, match=r"\w"):
        render(source, {"x": 1, "big": "b" * 64_001})


def test_output_is_bounded():
    source = "{% for a in xs %}{% for b in xs %}{{ text }}{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match="longer than"):
        render(source, {"xs": [1] * 300, "text": "a" * 50})


def test_missing_variables_are_named():
    assert missing("{{ a }} {{.B}} {% if c %}{% endif %}", {"a": 1}) == ["B", "c"]
