"""The OpenAPI document as it is served: examples that are accepted, its pages, its YAML."""

import json
from typing import Any, cast

import pytest
from aiohttp import web
from openapi_spec_validator import validate

from notistream.runtime import Runtime
from notistream.web.openapi import text as openapi
from notistream.web.openapi.document import document
from notistream.web.openapi.yaml_text import yaml_text
from notistream.web.routes import MIDDLEWARES, PROBES, install
from tests.unit.web_fakes import ADMIN, FakeRuntime, serving

DOCUMENT: dict[str, Any] = json.loads(openapi.text())
OPERATIONS = [
    (path, method, shown)
    for path, item in DOCUMENT["paths"].items()
    for method, shown in item.items()
]


async def test_examples_are_accepted() -> None:
    async with serving() as (client, _):
        for path, method, shown in OPERATIONS:
            for content in shown.get("requestBody", {}).get("content", {}).values():
                for example in content["examples"].values():
                    response = await client.request(
                        method, path, json=example["value"], headers=ADMIN
                    )
                    assert str(response.status) in shown["responses"], (path, await response.text())


async def test_served_document_and_page() -> None:
    async with serving() as (client, _):
        assert await (await client.get("/openapi.json")).json() == DOCUMENT
        page = await client.get("/docs")
        text = await page.text()
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert "<script>" not in text
        assert "http" not in text.replace("http-equiv", "")
        for name in (
            "docs.js",
            "docs.css",
            "swagger-ui.css",
            "swagger-ui-bundle.js",
            "favicon.png",
        ):
            assert f"/docs/assets/{name}" in text
            asset = await client.get(f"/docs/assets/{name}")
            assert asset.status == 200
            assert len(await asset.read()) > 100
        for path in ("/", "/docs/", "/swagger", "/swagger/", "/swagger/index.html"):
            response = await client.get(path, allow_redirects=False)
            assert (response.status, response.headers["Location"]) == (302, "/docs")


async def test_swagger_ui_knows_openapi_3_1() -> None:
    async with serving() as (client, _):
        script = await (await client.get("/docs/assets/swagger-ui-bundle.js")).text()
        assert "OpenAPI 3.1" in script or "isOAS31" in script


async def test_every_problem_type_leads_to_its_entry() -> None:
    async with serving() as (client, _):
        text = await (await client.get("/docs/errors")).text()
        for code in (
            "invalid_content",
            "unreadable_json",
            "duplicate_idempotency_key",
            "template_exists",
        ):
            assert f'id="{code}"' in text


def test_workers_serve_only_probes() -> None:
    app = web.Application(middlewares=MIDDLEWARES)
    install(app, cast("Runtime", FakeRuntime()), PROBES)
    assert {route.resource.canonical for route in app.router.routes() if route.resource} == {
        "/health",
        "/livez",
        "/health/ready",
        "/readyz",
        "/metrics",
    }
    validate(dict(document(PROBES)))


@pytest.mark.parametrize(
    "value",
    [
        DOCUMENT,
        {},
        [],
        {"a": {}, "b": []},
        [[1, [2]], [], {}],
        {"on": "yes", "1": None, "a: b": "c # d\n", "": ""},
        [{"a": 1, "b": [True, False, None, 1.5, -1]}],
    ],
    ids=range(7),
)
def test_yaml_says_the_same(value: Any) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(yaml_text(value)) == value
