"""Languages of a template, what is sent of it, and previews.

Nothing that ends a header line gets into a subject.
"""

from dataclasses import replace

import pytest

from notistream.domain.draft import Draft, check
from notistream.domain.notification import CHANNELS
from notistream.domain.template import RenderError
from notistream.domain.template_preview import preview
from notistream.domain.template_text import (
    MAX_VARIANTS,
    TemplateText,
    TemplateVersion,
    fallbacks,
    rendered,
    variant_errors,
)
from notistream.domain.validation import ADDRESS_CHECKS, CONTROL, header_error
from tests.core.delivery_fakes import CLAIMED, NOW, World
from tests.core.test_pipeline import TEMPLATED
from tests.tables import case

VERSION = TemplateVersion(
    TemplateText("Hi", "hello", "<p>hello"),
    {
        "pt": TemplateText(None, "olá"),
        "pt-BR": TemplateText("Oi", "oi", "<p>oi"),
        "zh-Hant": TemplateText(None, "你好"),
    },
)
LINE_ENDS = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x9f",
    "\x7f",
]
INJECTIONS = [
    *(f"a{end}Bcc: x@example.com" for end in LINE_ENDS),
    "=?utf-8?q?a=0D=0ABcc:=20x@example.com?=",
    "=?UTF-8?B?DQpCY2M6IHhAZXhhbXBsZS5jb20=?=",
    "=?iso-8859-1?Q??=",
    "=?utf-8*en?q?a b?=",
    "=??b?DQo=",
]


@pytest.mark.parametrize(
    ("locale", "variant", "body", "subject"),
    [
        (None, None, "hello", "Hi"),
        ("de", None, "hello", "Hi"),
        ("pt-BR", "pt-BR", "oi", "Oi"),
        ("PT-br", "pt-BR", "oi", "Oi"),
        ("pt-PT", "pt", "olá", "Hi"),
        ("pt", "pt", "olá", "Hi"),
        ("zh-Hant-TW", "zh-Hant", "你好", "Hi"),
        ("zh-TW", None, "hello", "Hi"),
        ("pt-x-a", "pt", "olá", "Hi"),
    ],
)
def test_a_variant_falls_back(locale, variant, body, subject):
    tag, text = VERSION.for_locale(locale)
    assert (tag, text.body, text.subject) == (variant, body, subject)
    assert text.html == {None: "<p>hello", "pt-BR": "<p>oi"}.get(tag)


def test_fallbacks_of_a_long_tag():
    assert fallbacks("zh-Hant-CN-x-private1") == [
        "zh-hant-cn-x-private1",
        "zh-hant-cn",
        "zh-hant",
        "zh",
    ]
    assert fallbacks(None) == []


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        (["en", "pt-BR"], []),
        (["en_US"], ["en_US"]),
        (["pt-br", "pt-BR"], ["pt-br", "pt-BR"]),
        ([""], [""]),
        (
            [
                f"x{n:02}"[0] + "abcdefghij"[n % 10] + "abcdefghij"[n // 10]
                for n in range(MAX_VARIANTS + 1)
            ],
            ["xaf"],
        ),
    ],
)
def test_tags_of_variants_are_checked(tags, wrong):
    assert [tag for tag, _ in variant_errors(tags)] == wrong


def test_all_parts_are_rendered_and_only_html_is_escaped():
    text = TemplateText("{{ n }}", "{{ n }}", "<p>{{ n }}</p>")
    made = rendered(text, {"n": "<A>"})
    assert (made.subject, made.body, made.html) == ("<A>", "<A>", "<p>&lt;A&gt;</p>")
    assert rendered(text, {"n": "<A>"}, subject="own").subject == "own"


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_variable_cannot_break_a_header(value):
    with pytest.raises(RenderError, match=r"the subject must not contain|NUL"):
        rendered(TemplateText("Hello {{ name }}", "x"), {"name": value})


@pytest.mark.parametrize("value", INJECTIONS)
async def test_header_injection_through_a_template_ends_at_delivery(value):
    source = ("Hello {{ name }}", "body")
    claimed = replace(TEMPLATED, template_variables={"name": value})
    failed = await World(source=source).deliver(claimed)
    assert (failed.status.value, failed.steps[-1].gate) == ("failed", "render")
    assert failed.reason
    world = World(source=source)
    fallen_back = await world.deliver(replace(claimed, content="fallback"))
    assert (fallen_back.status.value, world.sent[0][1].content, world.sent[0][1].subject) == (
        "delivered",
        "fallback",
        None,
    )


async def test_no_message_has_such_a_subject_wherever_it_came_from():
    for value in INJECTIONS:
        with case(repr(value)):
            world = World()
            end = await world.deliver(replace(CLAIMED, subject=value))
            assert (end.status.value, world.sent) == ("failed", [])


async def test_no_message_has_such_a_recipient():
    for value in filter(CONTROL.search, INJECTIONS):
        with case(repr(value)):
            world = World()
            end = await world.deliver(replace(CLAIMED, recipient=value))
            assert (end.status.value, end.steps[-1].gate, world.sent) == ("failed", "address", [])


@pytest.mark.parametrize("channel", CHANNELS)
def test_header_injection_is_refused_at_the_door(channel):
    for value in INJECTIONS:
        with case(repr(value)):
            refuse_injection(channel, value)


def refuse_injection(channel, value):
    good = Draft(channel=channel, recipient_id="u", content="x")
    subject = check(replace(good, subject=value), now=NOW, limits={channel: 100})
    assert [error.pointer for error in subject] == ["/subject"]
    assert header_error(value)
    if CONTROL.search(value):
        assert [
            e.pointer
            for e in check(replace(good, recipient_id=value), now=NOW, limits={channel: 100})
        ] == ["/recipient_id"]
        for kind in ADDRESS_CHECKS.values():
            assert kind(value)
    recipient = check(
        replace(good, channel="email", recipient=f"{value}@example.com"),
        now=NOW,
        limits={"email": 100},
    )
    assert [error.pointer for error in recipient] == ["/recipient"]


def test_a_subject_that_only_looks_odd_is_let_through():
    for subject in ("=? what ?=", "1 = 1?", "ünïcödé 😀", "a=?b?c"):
        assert header_error(subject) is None


async def test_the_trace_says_which_version_and_language_was_sent():
    world = World()
    end = await world.deliver(replace(TEMPLATED, locale="tr"))
    step = next(step for step in end.steps if step.gate == "render")
    assert (
        step.verdict,
        step.inputs["version"],
        step.inputs["locale"],
        step.inputs["variant"],
    ) == ("passed", 1, "tr", None)


class TestPreview:
    """A preview says all at once, whatever is wrong."""

    def test_everything_known(self):
        found = preview(
            TemplateText("Hi {{ a }}", "{{ a }} {{ b|default('-') }}", "<b>{{ a }}</b>"),
            {"a": "<x>", "z": 1},
            channel="email",
            limit=100,
        )
        assert found.parts == {"subject": "Hi <x>", "body": "<x> -", "html": "<b>&lt;x&gt;</b>"}
        assert (found.variables, found.missing, found.unused) == (["a", "b"], [], ["z"])
        assert (found.characters, found.limit, found.sms, list(found.faults)) == (5, 100, None, [])

    def test_missing_variables(self):
        found = preview(TemplateText("Hi", "{{ a }} {{ b.c }}"), {}, channel="sms", limit=10)
        assert (found.parts, found.missing, found.characters, found.sms) == (
            {"subject": "Hi", "body": None},
            ["a", "b"],
            None,
            None,
        )
        assert [(fault.part, "missing variable" in fault.message) for fault in found.faults] == [
            ("body", True)
        ]

    def test_too_long_and_a_broken_subject(self):
        found = preview(
            TemplateText("{{ a }}", "{{ a }}"), {"a": "x\n" * 6}, channel="sms", limit=10
        )
        assert [(fault.part, fault.message) for fault in found.faults] == [
            ("subject", "the rendered subject must not contain control characters"),
            ("body", "the rendered text has 12 characters; the limit is 10"),
        ]
        assert found.sms is not None
        assert (found.sms.encoding, found.sms.segments) == ("GSM-7", 1)
