"""Templates: Jinja2 in a sandbox, Go's syntax translated.

Every attack ends in words, within a budget of work.
"""

import pytest

from notistream.domain import sandbox, template
from notistream.domain.go_syntax import GoSyntaxError, to_jinja
from notistream.domain.sandbox import FUEL
from notistream.domain.template import InvalidTemplateError, RenderError, compiled, missing, render

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


BIG = "b" * 60_000
NUMBERS = list(range(100_000))
ROWS = [{"a": n, "b": "x" * 5} for n in range(20_000)]
VALUES = {
    "x": 1,
    "s": "abc",
    "big": BIG,
    "xs": NUMBERS,
    "rows": ROWS,
    "d": {"k": 1},
    "f": [0.1] * 100_000,
    "deep": [[[["x" * 50] * 10] * 10] * 10] * 10,
    "words": ["a"] * 100_000,
    "spaced": "a " * 400_000,
    "open": "<" * 100_000,
    "name": "__class__",
    "form": "{0.__class__}",
    "sneaky": "{{ x.__class__ }}",
}
REFUSED = [
    # towards the interpreter
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x.__init__ }}",
    "{{ x.__init__.__globals__ }}",
    "{{ x['__class__'] }}",
    "{{ s[name] }}",
    "{{ d.__dict__ }}",
    "{{ x|attr('__class__') }}",
    "{{ s|attr(name) }}",
    "{{ d.items.__self__ }}",
    "{{ d.items().__class__ }}",
    "{{ xs|map(attribute='__class__')|first }}",
    "{{ rows|map(attribute=name)|join }}",
    "{{ xs|map('attr', '__class__')|list }}",
    "{{ rows|groupby('__class__') }}",
    "{{ rows|selectattr('a.__class__')|list }}",
    "{{ s.format }}",
    "{{ s.format(x) }}",
    "{{ form.format(x) }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ form.format_map(d) }}",
    "{{ s|format(x) }}",
    "{{ form % x }}",
    "{{ '%s' % x }}",
    "{{ '%1000000d' % 1 }}",
    "{{ s.upper }}",
    "{{ s['upper'] }}",
    "{{ s['upper']() }}",
    "{{ d.items }}",
    "{{ d.pop('k') }}",
    "{{ d.update(d) }}",
    "{{ xs.append(1) }}",
    "{{ s.encode() }}",
    "{{ s.upper().__class__ }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.body() }}",
    "{{ super() }}",
    "{{ cycler }}",
    "{{ cycler.__init__ }}",
    "{{ joiner('a') }}",
    "{{ namespace() }}",
    "{{ lipsum(100000) }}",
    "{{ dict(a=1) }}",
    "{{ range(10**9) }}",
    "{{ request }}",
    "{{ config }}",
    "{{ get_flashed_messages() }}",
    "{{ x() }}",
    "{% for i in xs %}{{ loop }}{% endfor %}",
    "{% for i in xs %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in xs %}{{ loop._iterable }}{% endfor %}",
    "{% for i in [1] %}{{ loop(xs) }}{% endfor %}",
    "{% for i in xs %}{{ loop.cycle }}{% endfor %}",
    "{% for i in xs recursive %}{{ loop(xs) }}{% endfor %}",
    # other templates, statements, names
    "{% include 'a' %}",
    "{% import 'a' as a %}",
    "{% from 'a' import b %}",
    "{% extends 'a' %}",
    "{% block a %}{% endblock %}",
    "{% set a = 1 %}",
    "{% set a %}{% endset %}",
    "{% macro m() %}{% endmacro %}",
    "{% call s() %}{% endcall %}",
    "{% filter upper %}a{% endfilter %}",
    "{% with a = x %}{% endwith %}",
    "{% autoescape false %}{% endautoescape %}",
    "{% do x %}",
    "{% trans %}{% endtrans %}",
    "{% debug %}",
    "{{ s.upper(*xs) }}",
    "{{ s|join(**d) }}",
    "{{ s|map('(method)', 'format', 1)|list }}",
    "{{ s|map('(loop)', -1)|list }}",
    "{{ s is filter }}",
    "{{ s is callable }}",
    # much of little
    "{{ 'a' * 10**9 }}",
    "{{ [1] * 10 }}",
    "{{ 2 ** 10 }}",
    "{{ 10**100000 }}",
    "{{ (10**100000)|string }}",
    "{{ " + "9" * 5_000 + " }}",
    "{{ 0x" + "f" * 60_000 + " }}",
    "{{ 1e400 * 10 }}x" * 10 + "{{ 'a' * 2 }}",
    "{{ s|center(10**9) }}",
    "{{ s.center(10) }}",
    "{{ s.ljust(10) }}",
    "{{ s.zfill(10) }}",
    "{{ s|indent(10**9) }}",
    "{{ s|wordwrap(1) }}",
    "{{ xs|batch(10**9, 'x') }}",
    "{{ [1]|batch(1000000000, 'x')|list }}",
    "{{ [1]|slice(1000000000)|list }}",
    "{{ s|replace('', big) }}",
    "{{ big|replace('b', big) }}",
    "{{ big.replace('b', big) }}",
    "{{ [big, big]|join(big) }}",
    "{{ big.join(xs) }}",
    "{{ big|join(big) }}",
    "{{ big ~ big }}",
    "{{ big + big }}",
    "{{ 1|round(1000000000) }}",
    "{{ 1|round(-1000000000) }}",
    "{{ 1|round(-1000000000, 'floor') }}",
    "{{ [[1], [2]]|sum(start=[]) }}",
    "{{ xs|string }}",
    "{{ xs }}",
    "{{ f }}",
    "{{ deep }}",
    "{{ rows }}",
    "{{ s|pprint }}",
    "{{ d|tojson }}",
    "{{ d|xmlattr }}",
    "{{ xs|random }}",
    "{{ open|striptags }}",
    "{{ big|urlize }}",
    "{{ s|truncate(10**9, true, big) }}",
    "{{ [" + "[big, big], " * 200 + "] }}",
    # long work
    "{% for a in xs %}{% for b in xs %}{% endfor %}{% endfor %}",
    "{% for a in xs %}{{ a }}{% endfor %}",
    (
        "{% for a in words %}{% for b in words %}{% for c in words %}{% endfor %}{% endfor %}{%"
        " endfor %}"
    ),
    "{% for a in rows %}{% if a in xs %}{% endif %}{% endfor %}",
    "{% for a in rows %}{% if xs == xs %}{% endif %}{% endfor %}",
    "{% for a in xs|list %}{% if big == big %}{% endif %}{% endfor %}",
    "{% for a in big %}{{ big|length }}{% endfor %}",
    "{% for a in rows %}{% if spaced in spaced %}{% endif %}{% endfor %}",
    "{% for a in rows %}{{ xs|sort }}{% endfor %}",
    "{% for a in rows[:1000] %}{% for b in rows[:1000] %}{{ '' }}{% endfor %}{% endfor %}",
    "{% for a in rows %}{% if xs[::-1] %}{% endif %}{% endfor %}",
    "{% for a in rows %}{{ loop.cycle(xs) }}{% endfor %}",
    "{% for a in rows %}{% if loop.changed(xs) %}{% endif %}{% endfor %}",
    "{{ xs|sort|sort|sort|sort }}",
    "{{ spaced|upper }}",
    "{{ spaced.split()|length }}",
    "{{ spaced|wordcount }}",
    "{{ spaced|title }}",
    "{{ spaced|urlencode }}",
    "{{ xs|map('string')|map('int')|list|length }}",
    "{{ rows|sort(attribute='" + "a," * 1000 + "a') }}",
    "{{ rows|map(attribute='a" + ".a" * 1000 + "')|list }}",
    "{{ rows|groupby('a')|length }}",
    "{{ xs|unique|list|length }}",
    "{{ xs|map('batch', 100, 'x')|list }}",
    "{{ words|map('replace', '', big)|list }}",
    "{{ xs|max + xs|min + xs|sum }}",
    "{{ rows|map('items')|map('list')|list|length }}",
    "{{ xs|select('in', xs)|list }}",
    "{{ xs|reject('eq', xs)|list }}",
    # floods and depths of syntax
    "{{a}}" * 12_000,
    "{{ " + "(" * 3_000 + ")" * 3_000 + " }}",
    "{{ " + "[" * 1_500 + "]" * 1_500 + " }}",
    "{{ " + "not " * 2_000 + "x }}",
    "{{ " + "-" * 2_000 + "x }}",
    "{{ x" + ".a" * 1_500 + " }}",
    "{{ x" + "|abs" * 1_500 + " }}",
    "{{ " + "+".join(["x"] * 1_500) + " }}",
    "{{ " + "~".join(["x"] * 2_500) + " }}",
    "{% if x %}" * 200 + "{% endif %}" * 200,
    "{{ [" + "1," * 3_000 + "] }}",
    "{{ {" + "1:1," * 1_500 + "} }}",
    "{{ x if x else " * 300 + "x" + " }}",
    "{% for a in s %}" * 25 + "{% endfor %}" * 25,
    "{{" + " " * 63_000,
    "{{" * 31_000,
    "{% " * 20_000,
    "{{if .A}}" * 5_000,
    "{{range .A}}" * 2_000 + "{{end}}" * 2_000,
    "{{if " * 12_000,
    "{{ '" * 15_000,
    "x" * 64_001,
    "{% raw %}" * 6_000,
    "{% for %}",
    "{{ a",
    "{{ }}",
    "{% if %}",
    "{{ x|nothing }}",
    "{{ x is nothing }}",
    "{{ 1/0 }}",
    "{{ 'a' < 1 }}",
    # what no channel can carry
    "{{ '\\x00' }}",
    "{{ '\\ud800' }}",
    "{{ missing }}",
    "{{ d.missing }}",
    "{{ missing.upper() }}",
    "{{ missing + 1 }}",
    "{% for a in missing %}{% endfor %}",
]


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


@pytest.mark.timeout(20)
@pytest.mark.parametrize("html", [False, True], ids=["text", "html"])
@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:60])
def test_an_attack_ends_in_words_and_within_the_budget(source, html, spent):
    if html and len(source) == 64_001:
        source = "x" * 100_001
    with pytest.raises((InvalidTemplateError, RenderError), match=r"\w"):
        render(source, VALUES, html=html)
    assert spent[0] <= FUEL


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
