"""Templates: Jinja2 in a sandbox, Go's syntax translated.

Every attack ends in words, within a budget of work.
"""

import pytest

from notistream.domain import sandbox, template
from notistream.domain.go_syntax import GoSyntaxError, to_jinja
from notistream.domain.sandbox import FUEL
from notistream.domain.template import InvalidTemplateError, RenderError, compiled, missing, render
from tests.core.template_attacks import ATTACKS, VALUES

ORDERS = [{"id": n, "lines": [{"title": f"thing {n}", "price": n * 1.5}]} for n in range(3)]


@pytest.mark.parametrize(
    ("source", "variables", "text"),
    [
        (
            "Hello {{.Name}}, welcome! Your code: {{.Code}}.",
            {"Name": "Mehmet", "Code": "42"},
            "Hello Mehmet, welcome! Your code: 42.",
        ),
        ("{{ .A.B }}", {"A": {"B": 1}}, "1"),
        ("{{if .X}}yes{{else}}no{{end}}", {}, "no"),
        ("{{if .X}}yes{{else}}no{{end}}", {"X": 1}, "yes"),
        ("{{ if .A.B }}yes{{ end }}", {"A": {"B": True}}, "yes"),
        ("{{if .X}}a{{else if .Y}}b{{end}}", {"Y": True}, "b"),
        ("{{range .Xs}}[{{.}}]{{end}}", {"Xs": [1, 2]}, "[1][2]"),
        ("{{range .Xs}}{{.N}}{{else}}none{{end}}", {"Xs": []}, "none"),
        ("{{range .Xs}}{{.N}}{{else}}none{{end}}", {}, "none"),
        (
            "{{range .Rows}}{{range .Cells}}{{.}}{{end}};{{end}}",
            {"Rows": [{"Cells": [1]}, {"Cells": [2]}]},
            "1;2;",
        ),
        (
            "{{range .Rows}}{{if .Ok}}{{.N}}{{else}}-{{end}}{{end}}",
            {"Rows": [{"Ok": 1, "N": 7}, {}]},
            "7-",
        ),
        ("{{range .Order.Items}}{{.}} {{end}}", {"Order": {"Items": ["a", "b"]}}, "a b "),
        ("a {{- .X -}} b", {"X": 1}, "a1b"),
        ("a\n{{- if .X -}}\n b \n{{- end -}}\nc", {"X": 1}, "abc"),
        ("{{   .X   }}", {"X": 1}, "1"),
        ("{{.\u0058}}", {"X": 1}, "1"),
        ("{{ start }} to {{ end }}", {"start": 1, "end": 2}, "1 to 2"),
        ("{{ name|upper }} {% if a %}b{% endif %}", {"name": "x", "a": 1}, "X b"),
        ("{{ 2 * 3 }}", {}, "6"),
        ("<b>{{ x }}</b>", {"x": "<i>"}, "<b><i></b>"),
        ("{{ x }}", {"x": "{{ y }} {% for %} {{.Z}}"}, "{{ y }} {% for %} {{.Z}}"),
        ("{% raw %}{{ x }}{% endraw %}{# not shown #}", {}, "{{ x }}"),
        ("{{ order.items }} {{ order.items()|length }}", {"order": {"items": 3}}, "3 1"),
        (
            "{{ name.upper() }} {{ ' a '.strip() }} {{ 'a-b'.split('-')|join('+') }}",
            {"name": "x"},
            "X a a+b",
        ),
        (
            "{{ a ~ 1 ~ none }} {{ a + 'b' }} {{ -n }} {{ 7 // 2 }} {{ 7 % 4 }}",
            {"a": "x", "n": 2},
            "x1None xb -2 3 3",
        ),
        (
            "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}",
            {"d": {"b": 1, "a": 2}},
            "a=2;b=1;",
        ),
        (
            (
                "{% for x in xs if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not"
                " loop.last }}{% endfor %}"
            ),
            {"xs": [1, 2, 3]},
            "1/2:2,2/2:3",
        ),
        (
            "{{ xs|map('upper')|join }}{{ xs|select('eq', 'b')|first }}{{ xs[1:]|last }}",
            {"xs": ["a", "b"]},
            "ABbb",
        ),
        (
            "{{ rows|sum(attribute='n') }} {{ rows|map(attribute='n')|max }}",
            {"rows": [{"n": 1}, {"n": 2}]},
            "3 2",
        ),
        (
            "{% for g in rows|groupby('k') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}",
            {"rows": [{"k": 1}, {"k": 2}, {"k": 1}]},
            "1221",
        ),
        (
            (
                "{% for row in xs|batch(2, '-') %}{{ row|join }};{% endfor %}{{"
                " xs|slice(2)|list|length }}"
            ),
            {"xs": ["a", "b", "c"]},
            "ab;c-;2",
        ),
        ("{{ x|default('none') }} {{ y.z|d(1) }} {{ x is defined }}", {"y": {}}, "none 1 False"),
        (
            "{{ n|round(2) }} {{ '3'|int }} {{ 'b' in 'abc' }} {{ 1 < 2 }} {{ [1] == [1] }}",
            {"n": 1.239},
            "1.24 3 True True True",
        ),
        (
            (
                "{{ 'a b'|title }} {{ 'x y'|urlencode }} {{ 'long text here'|truncate(8) }} {{ [3,"
                " 1]|sort }}"
            ),
            {},
            "A B x%20y long... [1, 3]",
        ),
        (
            (
                "{% for o in orders %}{% for l in o.lines %}{% for c in l.title %}{{ c }}{% endfor"
                " %}{% endfor %}{% endfor %}"
            ),
            {"orders": ORDERS},
            "thing 0thing 1thing 2",
        ),
        (
            "{{ context }}{{ environment }}{{ range }}",
            {"context": 2, "environment": 3, "range": 4},
            "234",
        ),
    ],
)
def test_renders(source, variables, text):
    assert render(source, variables) == text


@pytest.mark.parametrize(
    ("source", "variables", "text"),
    [
        ("<b>{{ x }}</b>", {"x": "<i>&\"'"}, "<b>&lt;i&gt;&amp;&#34;&#39;</b>"),
        ('<a href="{{.Link}}">', {"Link": '"><script>'}, '<a href="&#34;&gt;&lt;script&gt;">'),
        ("{{ x|safe }}", {"x": "<i>"}, "<i>"),
        (
            "{{ a ~ '<' ~ b|safe }} {{ xs|join('<') }}",
            {"a": "<", "b": "<b>", "xs": ["<", 1]},
            "&lt;&lt;<b> &lt;&lt;1",
        ),
        ("{{ x|replace('a', '<') }}{{ x|upper }}{{ x + '<' }}", {"x": "a"}, "&lt;Aa&lt;"),
    ],
)
def test_html_is_escaped(source, variables, text):
    assert render(source, variables, html=True) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ .Name | upper }}",
        "{{with .X}}{{end}}",
        '{{printf "%s" .N}}',
        "{{if eq .A 1}}x{{end}}",
        "{{$x := .A}}",
        "{{len .Xs}}",
        "{{if .X}}",
        "{{range .Xs}}{{.}}",
        "{{range $i, $x := .Xs}}{{end}}",
        "{{if not .X}}{{end}}",
        '{{template "x" .}}',
        '{{block "x" .}}{{end}}',
        '{{define "x"}}',
        "{{if and .A .B}}{{end}}",
        "{{/* x */}}",
        "{{if .X | len}}{{end}}",
        "{{index .Xs 0}}",
        "{{.Name\n| upper}}",
    ],
)
def test_go_syntax_that_is_not_served_is_refused_with_the_jinja_form(source):
    with pytest.raises(GoSyntaxError, match=r"Jinja2 write \{\{ Name \}\}|without \{\{end\}\}"):
        to_jinja(source)
    with pytest.raises(InvalidTemplateError):
        compiled(source)


@pytest.mark.parametrize(
    ("source", "jinja"),
    [
        ("{{.A}}", "{{ A }}"),
        ("{{- .A }}", "{{- A }}"),
        ("{{.A -}}", "{{ A -}}"),
        ("{{-}}", "{{-}}"),
        ("{{", "{{"),
        ("}} {{ a", "}} {{ a"),
        ("{{.}}", "{{ _ }}"),
        ("{{ 1 }}", "{{ 1 }}"),
        ("{{if .A}}{{end}}", "{% if A|default(false) %}{% endif %}"),
    ],
)
def test_translation(source, jinja):
    assert to_jinja(source) == jinja


@pytest.fixture
def spent(monkeypatch):
    """The most that one render has asked of its budget, above which every further step raises."""
    most = [0]
    spend = sandbox.Metered.spend

    def counted(context, amount):
        try:
            spend(context, amount)
        finally:
            most[0] = max(most[0], FUEL - context.fuel - amount * (context.fuel < 0))

    monkeypatch.setattr(sandbox.Metered, "spend", counted)
    return most


@pytest.mark.timeout(60)
@pytest.mark.parametrize("html", [False, True], ids=["text", "html"])
@pytest.mark.parametrize("kind", ATTACKS)
def test_attacks_end_in_words_and_within_the_budget(kind, html, spent):
    assert [fault for source in ATTACKS[kind] if (fault := wrong(source, spent, html=html))] == []


def wrong(source, spent, *, html):
    """What a template did that it must not do, if anything."""
    if html and len(source) == 64_001:
        source = "x" * 100_001
    spent[0] = 0
    try:
        text = render(source, VALUES, html=html)
    except (InvalidTemplateError, RenderError) as refused:
        if not str(refused).strip():
            return f"{source[:60]} was refused without a word"
    else:
        return f"{source[:60]} was rendered: {text[:60]}"
    return f"{source[:60]} took {spent[0]} of {FUEL}" if spent[0] > FUEL else None


HARMLESS = [
    ("{{ sneaky }}", "{{ x.__class__ }}"),
    ("{{ form }}", "{0.__class__}"),
    ("{{ name }}", "__class__"),
    ("{% for a in xs[:3] %}{{ loop.cycle('a', 'b') }}{% endfor %}", "aba"),
    ("{{ ''.join(['a', 'b']) }}", "ab"),
    ("{{ s|replace('a', '{{ x }}') }}", "{{ x }}bc"),
    ("{{ x.__class__|default('no') }}", "no"),
    ("{{ x.__class__ is defined }}", "False"),
    ("{{ s['__len__'] is defined }}", "False"),
    ("{{ big|length }}", "60000"),
    ("{{ (s.upper)() }}", "ABC"),
    ("{{ {}.get('a', 'b') }}", "b"),
    ("{{ 'x'.upper().lower().strip() }}", "x"),
    ("{{ [[]]|first|length }}", "0"),
]


@pytest.mark.parametrize(("source", "text"), HARMLESS)
def test_what_looks_like_an_attack_and_is_none(source, text):
    assert render(source, VALUES) == text


def test_a_digest_of_a_hundred_orders_uses_a_small_part_of_the_budget(spent):
    source = (
        "{% for o in orders %}{{ loop.index }}. {{ o.title|upper }}: {{ o.price|round(2) }} ({{ o.n"
        " * 2 }}){% if o.sale %} sale{% endif %}\n{% endfor %}"
    )
    render(
        source,
        {
            "orders": [
                {"title": f"thing {n}", "price": n * 1.5, "n": n, "sale": n % 2} for n in range(100)
            ]
        },
    )
    assert 0 < spent[0] < FUEL / 10


def test_the_budget_is_each_renders_own(spent):
    for _ in range(20):
        assert render("{% for x in xs[:1000] %}{{ x|string|length }}{% endfor %}", VALUES)


def test_output_is_bounded():
    source = "{% for a in xs %}{% for b in xs %}{{ text }}{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match="longer than"):
        render(source, {"xs": [1] * 100, "text": "a" * 50})


def test_missing_variables_are_named_and_optional_ones_are_not():
    assert missing(
        "{{ a }} {{.B}} {% if c %}{% endif %} {{ d|default(1) }} {{ e is defined }}", {"a": 1}
    ) == ["B", "c"]
    assert compiled("{{ d|default(1) }} {{ d }} {{ e|d('') }}").required == {"d"}
    assert compiled("{% for x in xs %}{{ x.y }}{{ loop.index }}{% endfor %}").variables == {"xs"}


def test_a_template_is_compiled_once():
    assert template.compiled("once {{ a }}") is template.compiled("once {{ a }}")
