"""Access to the console: no page without signing in, no action without a form of the session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import cast

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import make_mocked_request

from notistream.access.operators import Operators
from notistream.console.routes import CONSOLE
from notistream.console.shell import rendering, sessions
from notistream.errors import Forbidden
from notistream.web.server.route import Route
from tests.tables import case
from tests.unit.web_fakes import SERVED, Client, FakeRuntime, serving

ADA, EVE = "a" * 16, "e" * 16
SIGN_IN, SIGN_OUT = "/console/sign-in", "/console/sign-out"
PUBLIC = {("GET", "/console/assets/{name}"), ("GET", SIGN_IN), ("POST", SIGN_IN)}
PAGES = [route for route in CONSOLE if (route.method, route.path) not in PUBLIC]


@dataclass
class Visitor:
    """Somebody with a session, and how they send forms."""

    client: Client
    fakes: FakeRuntime
    cookies: dict[str, str]

    @property
    def origin(self) -> str:
        return str(self.client.make_url("")).rstrip("/")

    @property
    def token(self) -> str:
        operators = self.fakes.operators
        found = operators.verify(self.cookies.get(sessions.COOKIE))
        return operators.form_token(found) if found else ""

    async def get(self, path: str, **headers: str) -> ClientResponse:
        return await self.client.get(
            path, cookies=self.cookies, headers=headers, allow_redirects=False
        )

    async def post(
        self, path: str, *, origin: str | None = "", token: str | None = None, **fields: str
    ) -> ClientResponse:
        """As a browser sends a form; `origin` None: without the header."""
        headers = {} if origin is None else {"Origin": origin or self.origin}
        return await self.client.post(
            path,
            data={"form_token": self.token if token is None else token, **fields},
            cookies=self.cookies,
            headers=headers,
            allow_redirects=False,
        )


@asynccontextmanager
async def visitor(token: str | None = ADA) -> AsyncIterator[Visitor]:
    async with serving() as (client, fakes):
        yield Visitor(
            client, fakes, {sessions.COOKIE: fakes.operators.sign_in(token)} if token else {}
        )


def filled(route: Route) -> str:
    return route.path.replace("{id}", "0198c5a0-0000-7000-8000-000000000000").replace("{name}", "x")


def test_every_page_is_behind_the_door():
    console = {(route.method, route.path) for route in SERVED if route.path.startswith("/console")}
    assert {(route.method, route.path) for route in SERVED if route.guard} == console - PUBLIC
    assert all(route.operation is None and not route.public for route in PAGES)


async def test_nothing_is_reachable_without_signing_in():
    async with visitor(None) as nobody:
        for route in PAGES:
            with case(f"{route.method} {route.path}"):
                path = filled(route)
                answer = await (nobody.get(path) if route.method == "GET" else nobody.post(path))
                assert answer.status == 303
                assert answer.headers["Location"].startswith(SIGN_IN)
                assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c"])
async def test_a_worthless_cookie_is_no_session(cookie):
    async with visitor(None) as nobody:
        nobody.cookies[sessions.COOKIE] = cookie
        assert (await nobody.get("/console")).status == 303


async def test_a_link_from_elsewhere_asks_again_because_it_brings_no_cookie():
    async with visitor(None) as nobody:
        answer = await nobody.get("/console/health?x=1", **{"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 200
        assert 'content="0; url=/console/health?x=1"' in await answer.text()


ACTIONS = [route for route in PAGES if route.method == "POST"]


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": None},
        {"token": ""},
        {"token": "0" * 64},
    ],
    ids=str,
)
async def test_no_form_but_of_this_session_and_this_site_does_anything(sent):
    async with visitor() as ada:
        for route in ACTIONS:
            with case(route.path):
                answer = await ada.post(filled(route), **sent)
                assert answer.status == 403
                assert "form" in await answer.text()


async def test_a_form_of_another_session_does_nothing():
    async with visitor() as ada:
        other = ada.fakes.operators
        found = other.verify(other.sign_in(ADA))
        assert found is not None
        assert (await ada.post(SIGN_OUT, token=other.form_token(found))).status == 403


async def test_a_reader_looks_but_does_not_act():
    async with visitor(EVE) as eve:
        for route in (route for route in ACTIONS if route.path != SIGN_OUT):
            with case(route.path):
                answer = await eve.post(filled(route))
                assert answer.status == 403
                assert "has read-only access" in await answer.text()


@pytest.mark.parametrize("token", [ADA, EVE])
async def test_everybody_may_sign_out(token):
    async with visitor(token) as somebody:
        answer = await somebody.post(SIGN_OUT)
        assert (answer.status, answer.headers["Location"]) == (303, SIGN_IN)
        assert SimpleCookie(answer.headers["Set-Cookie"])[sessions.COOKIE]["max-age"] == "0"


async def test_signing_in():
    async with visitor(None) as nobody:
        answer = await nobody.post(SIGN_IN, token="wrong", next="/console/health")
        assert answer.status == 401
        assert 'name="next" value="/console/health"' in await answer.text()
        answer = await nobody.client.post(
            SIGN_IN,
            data={"token": f" {ADA} ", "next": "/console/health?a=b"},
            headers={"Origin": nobody.origin},
            allow_redirects=False,
        )
        assert (answer.status, answer.headers["Location"]) == (303, "/console/health?a=b")
        cookie = SimpleCookie(answer.headers["Set-Cookie"])[sessions.COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (
            True,
            "Strict",
            "/console",
            "",
        )


async def test_behind_https_the_cookie_is_for_https_only():
    async with visitor(None) as nobody:
        answer = await nobody.client.post(
            SIGN_IN,
            data={"token": ADA},
            allow_redirects=False,
            headers={
                "Origin": nobody.origin.replace("http:", "https:"),
                "X-Forwarded-Proto": "https",
            },
        )
        assert SimpleCookie(answer.headers["Set-Cookie"])[sessions.COOKIE]["secure"] is True


async def test_signing_in_from_another_site_is_refused():
    async with visitor(None) as nobody:
        answer = await nobody.client.post(
            SIGN_IN,
            data={"token": ADA},
            headers={"Origin": "http://evil.example"},
            allow_redirects=False,
        )
        assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)


async def test_who_guesses_is_told_to_wait_and_who_knows_still_gets_in():
    async with visitor(None) as nobody:

        async def enter(token: str) -> ClientResponse:
            return await nobody.client.post(
                SIGN_IN,
                data={"token": token},
                headers={"Origin": nobody.origin},
                allow_redirects=False,
            )

        statuses = [(await enter(f"guess-{n}")).status for n in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert (await enter(ADA)).status == 303


@pytest.mark.parametrize(
    ("wanted", "to"),
    [
        ("/console/health?a=b", "/console/health?a=b"),
        ("/console", "/console"),
        ("/console?a=b", "/console?a=b"),
        ("//evil.example", "/console"),
        ("https://evil.example", "/console"),
        ("/consolex", "/console"),
        ("/console/\\evil", "/console"),
        ("/console/ x\nSet-Cookie: a", "/console"),
        (None, "/console"),
        ("", "/console"),
    ],
)
def test_after_signing_in_one_stays_here(wanted, to):
    assert sessions.wanted_page(wanted) == to


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1", 303), ("localhost:80", 303), ("evil.example", 200)]
)
async def test_where_it_is_open_only_a_name_of_this_machine_lets_in(host, status):
    async with visitor(None) as nobody:
        nobody.fakes.operators = Operators({}, local="secret")
        answer = await nobody.get(SIGN_IN, Host=host)
        assert answer.status == status
        assert ("Set-Cookie" in answer.headers) == (status == 303)


async def test_headers_of_every_page():
    async with visitor() as ada:
        for path, status in (("/console", 500), (SIGN_IN, 200)):  # the fakes have no overview
            answer = await ada.get(path)
            assert answer.status == status
            assert answer.headers["Content-Type"].startswith("text/html")
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert rendering.SAFE.items() <= dict(answer.headers).items()


async def refuse(_request: web.Request) -> web.Response:
    raise Forbidden("not <b>you</b>")


async def break_down(_request: web.Request) -> web.Response:
    raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("handler", "status", "said"),
    [(refuse, 403, "not &lt;b&gt;you&lt;/b&gt;"), (break_down, 500, "Internal error")],
)
async def test_an_error_is_a_page_that_tells_no_secrets(handler, status, said):
    async with visitor() as ada:
        request = make_mocked_request(
            "GET",
            "/console/health",
            headers={"Cookie": f"{sessions.COOKIE}={ada.cookies[sessions.COOKIE]}"},
            app=cast("web.Application", ada.client.app),
        )
        answer = cast("web.Response", await sessions.serve(request, handler))
        assert answer.status == status
        assert said in (answer.text or "")
        assert "secret" not in (answer.text or "")


async def test_without_postgresql_one_signs_in_and_is_told():
    async with visitor() as ada:
        answer = await ada.get("/console/audit-log")
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        assert "PostgreSQL is not reachable" in await answer.text()


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("console.css", 200),
        ("console.js", 200),
        ("icon.svg", 200),
        ("nothing.css", 404),
        ("..%2frouting.py", 404),
    ],
)
async def test_assets(name, status):
    async with visitor(None) as nobody:
        answer = await nobody.get(f"/console/assets/{name}")
        assert answer.status == status
        if status == 200:
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
