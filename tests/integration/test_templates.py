"""Templates over the API and a real PostgreSQL: versions, languages, HTML, previews."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from notistream.db import deliveries, tenants
from notistream.delivery.ports import Turn
from notistream.delivery.rendering import Text
from notistream.domain.notification import Claimed
from notistream.runtime import Runtime
from notistream.templates.starters import starters
from notistream.web.templates.routes import TEMPLATES
from tests.core.test_template_text import INJECTIONS
from tests.integration.test_recipients import called
from tests.unit.web_fakes import Client, pointers, problem_of

pytestmark = pytest.mark.integration

V1 = "/api/v1"
NOTIFICATIONS, RECIPIENTS = f"{V1}/notifications", f"{V1}/recipients"
MAIL = {"channel": "email", "recipient": "a@example.com"}


async def made(client: Client, **fields: Any) -> Any:
    body = {"name": "hello", "channel": "email", "body": "Hello {{ name }}", **fields}
    return await called(client, "POST", f"{V1}/templates", body, status=201)


async def accepted(client: Client, **fields: Any) -> Any:
    body = {**MAIL, "template_id": "hello", "template_variables": {"name": "Ada"}, **fields}
    return await called(client, "POST", NOTIFICATIONS, body, status=202)


async def claimed(runtime: Runtime, notification: Any, seq: int = 1) -> Claimed:
    """As a worker claims it."""
    found = await deliveries.claim(
        runtime.database,
        [Turn(UUID(notification["id"]), seq)],
        owner=0,
        lease=timedelta(seconds=30),
        call_before=0.0,
    )
    return found[UUID(notification["id"])]


async def text_of(runtime: Runtime, notification: Any) -> Text:
    """What a worker would send."""
    text = await runtime.renderer.text(await claimed(runtime, notification))
    assert isinstance(text, Text), text
    return text


@pytest.mark.parametrize("route", TEMPLATES, ids=lambda r: f"{r.method} {r.path}")
async def test_documented_examples_work(client: Client, route: Any) -> None:
    stored = await made(client)
    good = [status for status in route.operation.answers if status < 400]
    for body in route.operation.body.examples.values() if route.operation.body else [None]:
        answer = await client.request(
            route.method,
            route.path.format(id=stored["id"]),
            **({} if body is None else {"json": body}),
        )
        assert answer.status in good, await answer.text()


async def test_put_makes_a_version_and_what_was_accepted_keeps_its_own(
    api: tuple[Client, Runtime],
) -> None:
    client, runtime = api
    first = await made(client, subject="One", metadata={"team": "a"})
    path = f"{V1}/templates/{first['id']}"
    before = await accepted(client)
    second = await called(
        client, "PUT", path, {"body_template": "Bye {{ name }}", "subject_template": "Two"}
    )
    assert (
        second["version"],
        second["body"],
        second["subject"],
        second["metadata"],
        second["is_active"],
    ) == (2, "Bye {{ name }}", "Two", {"team": "a"}, True)
    assert second["updated_at"] > second["created_at"] == first["created_at"]
    assert await called(client, "GET", path) == second
    after = await accepted(client)
    assert (before["template_version"], after["template_version"]) == (1, 2)
    assert (await text_of(runtime, before)).content == "Hello Ada"
    assert (await text_of(runtime, after)).content == "Bye Ada"
    versions = (await called(client, "GET", f"{path}/versions"))["data"]
    assert [(v["version"], v["body"]) for v in versions] == [
        (2, "Bye {{ name }}"),
        (1, "Hello {{ name }}"),
    ]
    page = await called(client, "GET", f"{path}/versions?page_size=1")
    older = await called(client, "GET", f"{path}/versions?page_size=1&cursor={page['next_cursor']}")
    assert [v["version"] for v in (*page["data"], *older["data"])] == [2, 1]
    assert older["next_cursor"] is None
    await problem_of(await client.get(f"{path}/versions?cursor=x"), 422)


async def test_a_version_is_kept_through_a_replay(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    stored = await made(client)
    sent = await accepted(client)
    await called(client, "PUT", f"{V1}/templates/{stored['id']}", {"body": "Bye"})
    await called(client, "PATCH", f"{NOTIFICATIONS}/{sent['id']}/cancel")
    again = await called(client, "POST", f"{NOTIFICATIONS}/{sent['id']}/resend", status=202)
    shown = await called(client, "GET", f"{NOTIFICATIONS}/{sent['id']}")
    assert (shown["template_version"], again["id"]) == (1, sent["id"])
    text = await runtime.renderer.text(await claimed(runtime, sent, seq=2))
    assert isinstance(text, Text)
    assert text.content == "Hello Ada"


async def test_delete_frees_the_name_and_what_waits_keeps_its_version(
    api: tuple[Client, Runtime],
) -> None:
    client, runtime = api
    stored = await made(client)
    path = f"{V1}/templates/{stored['id']}"
    waiting = await accepted(client)
    await called(client, "DELETE", path, status=204)
    for method, at, body in (
        ("GET", path, None),
        ("GET", f"{path}/versions", None),
        ("DELETE", path, None),
        ("PUT", path, {"body": "x"}),
        ("POST", f"{path}/preview", {}),
    ):
        await problem_of(
            await client.request(method, at, **({} if body is None else {"json": body})), 404
        )
    assert (await called(client, "GET", f"{V1}/templates"))["data"] == []
    refused = await client.post(NOTIFICATIONS, json={**MAIL, "template_id": "hello"})
    assert pointers(await problem_of(refused, 422)) == ["/template_id"]
    assert (await text_of(runtime, waiting)).content == "Hello Ada"
    again = await made(client, body="Another {{ name }}")
    assert again["id"] != stored["id"]
    assert again["version"] == 1
    assert (await text_of(runtime, await accepted(client))).content == "Another Ada"


async def test_a_stale_version_is_a_conflict_and_one_of_two_writers_wins(client: Client) -> None:
    stored = await made(client)
    path = f"{V1}/templates/{stored['id']}"
    answers = await asyncio.gather(
        *(client.put(path, json={"body": f"b{n}", "version": 1}) for n in range(5))
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    problem = await problem_of(await client.put(path, json={"body": "x", "version": 1}), 409)
    assert problem["code"] == "template_changed"
    assert "version 2" in problem["detail"]
    assert (await called(client, "PUT", path, {"body": "x", "version": 2}))["version"] == 3


async def test_a_template_keeps_its_name_and_channel(client: Client) -> None:
    stored = await made(client)
    path = f"{V1}/templates/{stored['id']}"
    assert (await called(client, "PUT", path, {"body": "x", "name": "hello", "channel": "email"}))[
        "version"
    ] == 2
    refused = await client.put(path, json={"body": "x", "name": "other", "channel": "sms"})
    assert pointers(await problem_of(refused, 422)) == ["/name", "/channel"]


async def test_an_inactive_template_is_not_used(client: Client) -> None:
    stored = await made(client)
    await called(client, "PUT", f"{V1}/templates/{stored['id']}", {"body": "x", "is_active": False})
    refused = await client.post(NOTIFICATIONS, json={**MAIL, "template_id": "hello"})
    assert pointers(await problem_of(refused, 422)) == ["/template_id"]


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"variants": {"en_US": {"body": "x"}}}, ["/variants/en_US"]),
        ({"variants": {"a/b~c": {"body": "x"}}}, ["/variants/a~1b~0c"]),
        (
            {"variants": {"pt-BR": {"body": "x"}, "pt-br": {"body": "x"}}},
            ["/variants/pt-BR", "/variants/pt-br"],
        ),
        ({"variants": {"pt": {"subject": "x"}}}, ["/variants/pt/body"]),
        (
            {"variants": {"pt": {"body": "{{ x", "subject": "{{ y", "html": "{% z"}}},
            ["/variants/pt/subject", "/variants/pt/body", "/variants/pt/html"],
        ),
        ({"html": "{{ a.__class__() }}"}, ["/html"]),
        ({"html": "<p>", "channel": "sms"}, ["/html"]),
        ({"body": "{% set a = 1 %}", "subject": "a\nb"}, ["/subject", "/body"]),
        ({"body": " "}, ["/body"]),
        (
            {
                "variants": {
                    f"e{c}": {"body": "{{" + "~".join("a" * 1800) + "}}"} for c in "abcdefgh"
                }
            },
            ["/variants"],
        ),
        ({"subject": "=?utf-8?q?x?="}, ["/subject"]),
    ],
)
async def test_bad_content_is_refused_with_its_place(
    client: Client, fields: Any, places: list[str]
) -> None:
    body = {"name": "n", "channel": "email", "body": "b", **fields}
    assert (
        pointers(await problem_of(await client.post(f"{V1}/templates", json=body), 422)) == places
    )
    if "channel" not in fields:
        stored = await made(client)
        content = {k: v for k, v in body.items() if k not in ("name", "channel")}
        refused = await client.put(f"{V1}/templates/{stored['id']}", json=content)
        assert pointers(await problem_of(refused, 422)) == places
    body.pop("name")
    assert (
        pointers(await problem_of(await client.post(f"{V1}/templates/preview", json=body), 422))
        == places
    )


async def test_languages_fall_back_and_the_trace_says_which(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    stored = await made(
        client,
        subject="Hi",
        html="<p>{{ name }}",
        variants={
            "pt": {"body": "Olá {{ name }}", "html": "<b>{{ name }}"},
            "pt-BR": {"subject": "Oi", "body": "Oi {{ name }}"},
        },
    )
    assert stored["variants"]["pt-BR"] == {"subject": "Oi", "body": "Oi {{ name }}", "html": None}
    cases = [
        ({"locale": "pt-BR"}, "pt-BR", "Oi", "Oi Ada", None),
        ({"locale": "pt-PT"}, "pt", "Hi", "Olá Ada", "<b>Ada"),
        ({"locale": "tr"}, None, "Hi", "Hello Ada", "<p>Ada"),
        ({}, None, "Hi", "Hello Ada", "<p>Ada"),
    ]
    for fields, variant, subject, body, html in cases:
        sent = await accepted(client, **fields)
        assert sent["locale"] == fields.get("locale")
        text = await text_of(runtime, sent)
        assert (text.subject, text.content, text.html) == (subject, body, html)
        assert text.step is not None
        assert (text.step.inputs["version"], text.step.inputs["variant"]) == (1, variant)
    await called(
        client,
        "PUT",
        f"{RECIPIENTS}/ana",
        {"email": "ana@example.com", "locale": "pt-PT"},
        status=201,
    )
    stored_reader = {"recipient": None, "recipient_id": "ana"}
    assert (await text_of(runtime, await accepted(client, **stored_reader))).content == "Olá Ada"
    assert (
        await text_of(runtime, await accepted(client, **stored_reader, locale="tr"))
    ).content == "Hello Ada"
    shown = await called(
        client,
        "POST",
        f"{NOTIFICATIONS}/preview",
        {
            "channel": "email",
            "recipient_id": "ana",
            "template_id": "hello",
            "template_variables": {"name": "Ada"},
        },
    )
    assert (shown["content"], shown["html"], shown["sms"]) == ("Olá Ada", "<b>Ada", None)


async def test_the_language_that_is_asked_for_is_checked_at_the_door(client: Client) -> None:
    await made(client, variants={"pt": {"body": "Olá {{ nome }}"}})
    body = {**MAIL, "template_id": "hello", "template_variables": {"name": "Ada"}}
    await called(client, "POST", NOTIFICATIONS, body, status=202)
    refused = await client.post(NOTIFICATIONS, json={**body, "locale": "pt-BR"})
    assert pointers(await problem_of(refused, 422)) == ["/template_variables/nome"]
    await called(
        client,
        "POST",
        NOTIFICATIONS,
        {**body, "locale": "pt-BR", "content": "fallback"},
        status=202,
    )
    assert pointers(
        await problem_of(await client.post(NOTIFICATIONS, json={**body, "locale": "pt_BR"}), 422)
    ) == ["/locale"]


@pytest.mark.parametrize("value", INJECTIONS)
async def test_header_injection_is_refused(client: Client, value: str) -> None:
    await made(client, subject="Hello {{ name }}")
    body = {**MAIL, "template_id": "hello", "template_variables": {"name": value}}
    places = pointers(await problem_of(await client.post(NOTIFICATIONS, json=body), 422))
    assert places == ["/template_variables" if "\0" in value else "/template_variables/name"]
    plain = {**MAIL, "content": "x"}
    for wrong, place in (
        ({"subject": value}, "/subject"),
        ({"recipient": f"{value}@example.com"}, "/recipient"),
    ):
        assert pointers(
            await problem_of(await client.post(NOTIFICATIONS, json={**plain, **wrong}), 422)
        ) == [place]
    if not value.startswith("=?"):
        for wrong in (
            {"channel": "in_app", "recipient": value},
            {"channel": "push", "recipient": value},
        ):
            answer = await client.post(NOTIFICATIONS, json={**plain, **wrong})
            assert pointers(await problem_of(answer, 422)) == ["/recipient"]
        answer = await client.post(NOTIFICATIONS, json={**plain, "recipient_id": value})
        assert pointers(await problem_of(answer, 422)) == ["/recipient_id"]


async def test_an_attack_is_refused_when_stored_or_when_sent(client: Client) -> None:
    for source in (
        "{{ ''.__class__.__mro__() }}",
        "{% include 'x' %}",
        "{{ a" + "|upper" * 3000 + " }}",
    ):
        refused = await client.post(
            f"{V1}/templates", json={"name": "n", "channel": "sms", "body": source}
        )
        assert pointers(await problem_of(refused, 422)) == ["/body"]
    await made(
        client,
        body=(
            "{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{%"
            " endfor %}"
        ),
    )
    refused = await client.post(
        NOTIFICATIONS,
        json={**MAIL, "template_id": "hello", "template_variables": {"xs": list(range(5000))}},
    )
    assert "too much work" in (await problem_of(refused, 422))["errors"][0]["message"]


async def test_previews(client: Client) -> None:
    stored = await made(
        client,
        channel="sms",
        body="Olá {{ name }}, {{ day|default('soon') }} €",
        variants={"en": {"body": "Hi {{ name }}, 10 €"}},
    )
    path = f"{V1}/templates/{stored['id']}/preview"
    shown = await called(client, "POST", path, {"variables": {"name": "Ana", "city": "x"}})
    assert shown == {
        "subject": None,
        "body": "Olá Ana, soon €",
        "html": None,
        "variant": None,
        "variables": ["day", "name"],
        "missing": [],
        "unused": ["city"],
        "characters": 15,
        "limit": 160,
        "errors": [],
        "sms": {
            "encoding": "UCS-2",
            "units": 15,
            "segments": 1,
            "per_segment": 70,
            "not_gsm": ["á"],
        },
    }
    english = await called(client, "POST", path, {"payload": {"name": "Ana"}, "locale": "en-GB"})
    assert (english["variant"], english["sms"]["encoding"], english["sms"]["units"]) == (
        "en",
        "GSM-7",
        13,
    )
    empty = await called(client, "POST", path, {})
    assert (empty["body"], empty["missing"], empty["sms"]) == (None, ["name"], None)
    assert [e["part"] for e in empty["errors"]] == ["body"]
    assert pointers(await problem_of(await client.post(path, json={"locale": "en_GB"}), 422)) == [
        "/locale"
    ]
    assert pointers(
        await problem_of(await client.post(path, json={"payload": {}, "variables": {"a": 1}}), 422)
    ) == ["/variables"]
    unsaved = await called(
        client,
        "POST",
        f"{V1}/templates/preview",
        {
            "channel": "email",
            "body": "{{ a }}",
            "html": "<i>{{ a }}",
            "subject": "{{ a }}",
            "template_variables": {"a": "<\n>"},
        },
    )
    assert (unsaved["body"], unsaved["html"], [e["part"] for e in unsaved["errors"]]) == (
        "<\n>",
        "<i>&lt;\n&gt;",
        ["subject"],
    )
    counted = await called(
        client,
        "POST",
        f"{NOTIFICATIONS}/preview",
        {"channel": "sms", "recipient": "+905000000001", "content": "ş" * 71},
    )
    assert (counted["sms"]["encoding"], counted["sms"]["segments"]) == ("UCS-2", 2)


@pytest.mark.parametrize("key", starters(), ids="/".join)
async def test_starters_are_shown_and_previewed_but_not_changed(
    client: Client, key: tuple[str, str]
) -> None:
    starter = starters()[key]
    path = f"{V1}/templates/{starter.id}"
    shown = await called(client, "GET", path)
    assert (shown["name"], shown["channel"], shown["version"]) == (starter.name, starter.channel, 1)
    assert bool(shown["html"]) == (starter.channel == "email")
    assert [v["version"] for v in (await called(client, "GET", f"{path}/versions"))["data"]] == [1]
    values = {"name": "Ana", "link": "https://example.com/?a=1&b=2", "code": 1234}
    preview = await called(client, "POST", f"{path}/preview", {"variables": values})
    assert preview["errors"] == preview["missing"] == []
    assert preview["body"]
    for answer in (await client.put(path, json={"body": "x"}), await client.delete(path)):
        problem = await problem_of(answer, 409)
        assert problem["code"] == "starter_template"
        assert "create your own" in problem["detail"]


async def test_another_tenants_template_does_not_exist(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    stored = await made(client)
    template_id = UUID(stored["id"])
    other = (await tenants.create(runtime.database, "other"))[0].id
    for wanted in (
        runtime.templates.get(other, template_id),
        runtime.templates.delete(other, template_id),
    ):
        with pytest.raises(Exception, match="there is no template"):
            await wanted
    assert await runtime.database.of(other).fetch("SELECT * FROM templates") == []
    assert await runtime.database.of(other).fetch("SELECT * FROM template_versions") == []
    await problem_of(await client.get(f"{V1}/templates/{uuid4()}"), 404)
