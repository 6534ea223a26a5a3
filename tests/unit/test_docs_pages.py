"""The pages of documentation hold together: links lead somewhere, and what they name exists."""

import re
from functools import cache
from urllib.parse import urlsplit

import click
import pytest
import yaml
from markdown.extensions.toc import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

from notistream.commands import cli
from notistream.commands.reference import settings_page
from notistream.web.routes import ROUTES
from tests.docs.blocks import (
    LOOKS_LIKE_A_COMMAND,
    ROOT,
    RUN,
    SHELL,
    SHOWN,
    Block,
    blocks,
    is_derived,
    pages,
)
from tests.docs.session import is_whole
from tests.unit.test_observability_files import KNOWN

PAGES = [*pages(), "CHANGELOG.md"]
WRITTEN = [page for page in PAGES if not is_derived(page)]
HOSTS = {
    "127.0.0.1",
    "localhost",
    "faust-streaming.github.io",
    "www.standardwebhooks.com",
    "keepachangelog.com",
    "semver.org",
    "hooks.example.com",
    "example.com",
}
"""Who an absolute link may lead to; a new one is a line here, and a thought."""
NOT_OURS = {"notistream_tenant", "notistream_dashboards", "notistream_client"}
"""Names of ours that are no metrics: roles of PostgreSQL, and the package of the client."""
NOT_RUN = {
    ("docs/dead-letters.md", "Kafka's own scripts are not part of the product"),
    ("docs/deployment.md", "after a restore"),
    ("docs/deployment.md", "it changes the machine; tests/unit/test_systemd.py looks at the units"),
    (
        "docs/deployment.md",
        "needs a cluster; tests/unit/test_kubernetes.py judges both by the schemas",
    ),
    (
        "docs/deployment.md",
        "needs systemd; tests/integration/test_rolling_restart.py does the same with processes",
    ),
    ("docs/deployment.md", "on services over TLS by tests/integration/test_secure_services.py"),
    ("docs/protocol-model.md", "they are the suite's own tests"),
    ("docs/receipts.md", "a line of a class"),
    ("docs/webhooks.md", "needs the package `standardwebhooks` of npm"),
}
"""All blocks of the documentation that no test runs: which page, and why."""
SETTINGS = set(re.findall(r"NOTISTREAM_\w+", settings_page()))
EXAMPLES = re.compile(r"NOTISTREAM_(ACME|…|\w+_…|\w+_$)")
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
PATHS = {(route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in ROUTES}
OPERATION = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?`]*)")


@cache
def tokens(page: str) -> list[Token]:
    return MarkdownIt().parse((ROOT / page).read_text("utf-8"))


def inline(page: str) -> list[Token]:
    return [child for token in tokens(page) for child in token.children or ()]


def links(page: str) -> list[str]:
    found = [str(child.attrs.get("href") or child.attrs.get("src") or "") for child in inline(page)]
    return [link for link in found if link]


def code(page: str) -> list[str]:
    """What stands between backticks in the text."""
    return [child.content for child in inline(page) if child.type == "code_inline"]


@cache
def anchors(page: str) -> tuple[set[str], set[str]]:
    """Of the headings: as the site makes them, and as a viewer of the repository does."""
    heads = [
        "".join(child.content for child in after.children or ())
        for token, after in zip(tokens(page), tokens(page)[1:], strict=False)
        if token.type == "heading_open"
    ]
    return {slugify(head, "-") for head in heads}, {
        re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme in ("http", "https") or link == "mailto:no-reply@example.com", link
            assert parts.scheme == "mailto" or parts.hostname in HOSTS, (
                f"{link}: is this host meant?"
            )
            continue
        target = ROOT / page if not parts.path else (ROOT / page).parent / parts.path
        assert target.exists(), f"{link} leads nowhere"
        inside = target.resolve().is_relative_to(ROOT / "docs")
        assert inside or not page.startswith("docs/"), f"{link} leads out of the site"
        if parts.fragment:
            for known in anchors(str(target.resolve().relative_to(ROOT))):
                assert parts.fragment in known, f"{link}: no such heading"


def test_every_page_is_in_the_navigation_or_in_an_index() -> None:
    site = yaml.safe_load((ROOT / ".mkdocs.yml").read_text("utf-8"))
    there = {page.removeprefix("docs/") for page in pages() if page.startswith("docs/")}
    named = set(_leaves(site["nav"]))
    assert named <= there, "nav names pages that are not there"
    listed = {
        f"{folder}/{link}"
        for folder in ("decisions", "runbooks")
        for link in links(f"docs/{folder}/README.md")
    }
    assert there - named - listed == set(), "add a line to `nav` in .mkdocs.yml"


def _leaves(nav: object) -> list[str]:
    match nav:
        case str():
            return [nav]
        case dict():
            return [leaf for value in nav.values() for leaf in _leaves(value)]
        case list():
            return [leaf for value in nav for leaf in _leaves(value)]
    return []


@pytest.mark.parametrize("page", WRITTEN)
def test_what_is_named_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for name in re.findall(r"NOTISTREAM_[\w…]*\w|NOTISTREAM_\w*…", text):
        assert name in SETTINGS or EXAMPLES.match(name), f"{name} is no setting"
    for name in code(page):
        if metric := re.fullmatch(r"(notistream_\w+)(\{.*\})?", name):
            known = (
                KNOWN.keys()
                | {re.sub(r"_(bucket|sum|count)\Z", "", series) for series in KNOWN}
                | NOT_OURS
            )
            assert metric[1] in known, f"{name} is no metric"
        if target := re.fullmatch(r"make ([a-z0-9-]+)( .*)?", name):
            assert target[1] in TARGETS, f"{name}: no such target"
        for method, path in OPERATION.findall(name):
            if "…" not in path and path.startswith(
                ("/api", "/internal", "/callbacks", "/unsubscribe")
            ):
                assert is_served(method, path), f"{name}: no such route"


def is_served(method: str, path: str) -> bool:
    """Also `/a/{b}[/{c}]`, which stands for two."""
    short, whole = re.sub(r"\[.*?\]", "", path), re.sub(r"[\[\]]", "", path)
    return all((method, re.sub(r"\{\w+\}", "{}", each)) in PATHS for each in (short, whole))


@pytest.mark.parametrize("page", WRITTEN)
def test_commands_of_ours_exist_with_their_options(page: str) -> None:
    shown = [command for command in code(page) if command.startswith("notistream ")]
    shown += [
        line
        for block in blocks(page)
        if block.language in SHELL
        for line in block.text.splitlines()
        if re.match(r"(\$ )?notistream ", line)
    ]
    for command in shown:
        words = (
            re.sub(r"#.*", "", command.removeprefix("$ ")).replace("[", "").replace("]", "").split()
        )
        known: click.Command = cli
        context = click.Context(cli)
        while (
            isinstance(known, click.Group)
            and len(words) > 1
            and (below := known.get_command(context, words[1]))
        ):
            known = below
            words.pop(1)
        bare = isinstance(known, click.Group) and len(words) > 1 and words[1][0].isalpha()
        names = set(known.list_commands(context)) if isinstance(known, click.Group) else set()
        assert not bare or set(words[1].split("|")) <= names, f"`{command}`: no such command"
        options = {
            name
            for parameter in known.params
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in options | {
                    "--help",
                    "--version",
                }, f"`{command}`: no option {word}"


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=block.place) for page in WRITTEN for block in blocks(page)]
)
def test_block_is_run_or_says_why_not(block: Block) -> None:
    assert block.language in RUN | SHOWN, f"{block.language}: nobody runs this language"
    if block.language in SHOWN:
        assert not LOOKS_LIKE_A_COMMAND.search(block.text), (
            "a command: mark the block as `sh` or `console`"
        )
    if block.not_run is not None:
        assert len(block.not_run) > len("not here"), "say why it is not run"
    if block.language in SHELL - {"console"}:
        assert is_whole(block.text), "the shell cannot read it"


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    found = {
        (page, block.not_run)
        for page in WRITTEN
        for block in blocks(page)
        if block.not_run is not None
    }
    assert found == NOT_RUN


def test_blocks_are_told_apart() -> None:
    page = (
        "<!-- run\nfirst\n-->\n\n```sh\nsecond\n```\n\n<!-- not run: for fun -->\n```console\n$"
        " third\n```\n"
    )
    page += "\n<!-- fails -->\n\n```sh\nfourth\n```\n\n<!-- fails -->\n\nNo.\n\n```\nfifth\n```\n"
    found = [
        (b.language, b.text.strip(), b.not_run, b.fails, b.shown) for b in blocks("x.md", page)
    ]
    assert found == [
        ("sh", "first", None, False, False),
        ("sh", "second", None, False, True),
        ("console", "$ third", "for fun", False, True),
        ("sh", "fourth", None, True, True),
        ("", "fifth", None, False, True),
    ]
