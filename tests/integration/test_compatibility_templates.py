"""What clients of the two seeds' systems rely on about templates, row by row of the compatibility
table.
"""

from typing import Any

import pytest

from notistream.templates.starters import starters
from tests.integration.test_recipients import called
from tests.integration.test_templates import V1
from tests.unit.web_fakes import Client, pointers, problem_of

pytestmark = pytest.mark.integration
GO = "Hello {{.Name}}{{if .A.B}}, dear {{.A.B}}{{else}}!{{end}}{{range .Xs}} [{{.}}]{{end}}"


async def test_template_fields_of_b(client: Client) -> None:
    """| B `body_template`, `subject_template`, `metadata`, `is_active` on templates |
    accepted beside `body`, `subject` |
    """
    fields: dict[str, Any] = {
        "body_template": "Hello {{.Name}}",
        "subject_template": "Hi {{.Name}}",
        "metadata": {"a": 1},
        "is_active": False,
    }
    stored = await called(
        client, "POST", f"{V1}/templates", {"name": "n", "channel": "email", **fields}, status=201
    )
    assert (stored["body"], stored["subject"], stored["metadata"], stored["is_active"]) == (
        "Hello {{.Name}}",
        "Hi {{.Name}}",
        {"a": 1},
        False,
    )
    path = f"{V1}/templates/{stored['id']}"
    changed = await called(
        client,
        "PUT",
        path,
        {**fields, "body_template": "Bye", "metadata": {"a": 2}, "is_active": True},
    )
    assert (
        changed["version"],
        changed["body"],
        changed["subject"],
        changed["metadata"],
        changed["is_active"],
    ) == (2, "Bye", "Hi {{.Name}}", {"a": 2}, True)
    both = await client.put(path, json={"body": "a", "body_template": "b"})
    assert pointers(await problem_of(both, 422)) == ["/body_template"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"Name": "Ada", "A": {"B": "Countess"}, "Xs": [1, 2]}, "Hello Ada, dear Countess [1] [2]"),
        ({"Name": "Ada", "A": {}}, "Hello Ada!"),
    ],
)
async def test_go_template_syntax(client: Client, values: Any, text: str) -> None:
    """| Go template syntax | `{{.Name}}`, `{{.A.B}}`, `{{if .X}}…{{else}}…{{end}}`,
    `{{range .Xs}}…{{end}}`; other Go syntax is 422 that shows the Jinja2 form |
    """
    shown = await called(
        client,
        "POST",
        f"{V1}/templates/preview",
        {"channel": "push", "body": GO, "template_variables": values},
    )
    assert (shown["body"], shown["errors"]) == (text, [])


@pytest.mark.parametrize(
    "source", ["{{ .Name | upper }}", "{{with .X}}{{end}}", "{{if eq .A 1}}{{end}}", "{{$x := .A}}"]
)
async def test_other_go_template_syntax_is_422_that_shows_the_jinja_form(
    client: Client, source: str
) -> None:
    """| Go template syntax | …; other Go syntax is 422 that shows the Jinja2 form |"""
    body = {"name": "n", "channel": "push", "body": source}
    problem = await problem_of(await client.post(f"{V1}/templates", json=body), 422)
    assert pointers(problem) == ["/body"]
    assert "{{ Name|upper }}" in problem["errors"][0]["message"]


async def test_starter_templates(client: Client) -> None:
    """| starter templates | a fallback layer under a tenant's own: names are unique per tenant and
    channel, a tenant's template wins, creating its own `welcome` is 201, twice is 409 |
    """
    wanted = {
        "channel": "in_app",
        "recipient_id": "u",
        "template_id": "welcome",
        "template_variables": {"name": "Ada"},
    }
    before = await called(client, "POST", f"{V1}/notifications/preview", wanted)
    own = {"name": "welcome", "channel": "in_app", "body": "My own {{ name }}"}
    stored = await called(client, "POST", f"{V1}/templates", own, status=201)
    after = await called(client, "POST", f"{V1}/notifications/preview", wanted)
    assert (before["content"], after["content"]) == ("Welcome, Ada!", "My own Ada")
    assert (await problem_of(await client.post(f"{V1}/templates", json=own), 409))[
        "code"
    ] == "template_exists"
    await called(client, "POST", f"{V1}/templates", {**own, "channel": "push"}, status=201)
    await called(client, "DELETE", f"{V1}/templates/{stored['id']}", status=204)
    again = await called(client, "POST", f"{V1}/notifications/preview", wanted)
    assert again["content"] == before["content"]
    assert {channel for channel, name in starters() if name == "welcome"} == {
        "sms",
        "email",
        "push",
        "in_app",
    }
