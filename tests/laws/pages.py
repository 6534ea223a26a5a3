"""The pages of documentation hold together: links lead somewhere, and what they name exists."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import urlsplit

import click
from markdown.extensions.toc import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

from notistream.commands import cli
from notistream.commands.reference import settings_page
from notistream.web.routes import ROUTES
from tests.docs.blocks import DERIVED, LOOKS_LIKE_A_COMMAND, RUN, SHELL, SHOWN, Block, blocks
from tests.docs.session import is_whole
from tests.laws.series import KNOWN
from tests.laws.tree import Tree

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
"""Names of ours that are no metrics: roles of PostgreSQL, a package."""
NOT_RUN = {
    ("docs/dead-letters.md", "Kafka's own scripts are not part of the product"),
    ("docs/deployment.md", "after a restore"),
    ("docs/deployment.md", "it changes the machine; tests/laws/shipped.py looks at the units"),
    ("docs/deployment.md", "needs a cluster; tests/laws/kubernetes.py judges both by the schemas"),
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
METRICS = KNOWN.keys() | {re.sub(r"_(bucket|sum|count)\Z", "", name) for name in KNOWN} | NOT_OURS
PATHS = {(route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in ROUTES}
OPERATION = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?`]*)")
SERVED = ("/api", "/internal", "/callbacks", "/unsubscribe")


def pages(tree: Tree) -> list[str]:
    return tree.files("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md")


def written(tree: Tree) -> list[str]:
    """The pages that people write."""
    return [page for page in pages(tree) if not tree.read(page).startswith(DERIVED)]


@cache
def _tokens(text: str) -> list[Token]:
    return MarkdownIt().parse(text)


def _inline(text: str) -> list[Token]:
    return [child for token in _tokens(text) for child in token.children or ()]


def links(text: str) -> list[str]:
    found = (child.attrs.get("href") or child.attrs.get("src") for child in _inline(text))
    return [str(link) for link in found if link]


def code(text: str) -> list[str]:
    """What stands between backticks."""
    return [child.content for child in _inline(text) if child.type == "code_inline"]


@cache
def _anchors(text: str) -> tuple[set[str], set[str]]:
    """Of the headings: as the site makes them, and as a viewer of the repository does."""
    tokens = _tokens(text)
    heads = [
        "".join(child.content for child in after.children or ())
        for token, after in pairwise(tokens)
        if token.type == "heading_open"
    ]
    shown = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    return {slugify(head, "-") for head in heads}, shown


def links_lead_somewhere(tree: Tree) -> Iterator[str]:
    for page in pages(tree):
        for link in links(tree.read(page)):
            for wrong in _wrong_with_link(tree, page, link):
                yield tree.at(page, link, f"{link}: {wrong}")


def _wrong_with_link(tree: Tree, page: str, link: str) -> Iterator[str]:
    parts = urlsplit(link)
    if parts.scheme:
        if parts.hostname not in HOSTS and link != "mailto:no-reply@example.com":
            yield "is this host meant? then it belongs into HOSTS"
        return
    folder = PurePosixPath(page).parent
    target = page if not parts.path else normpath(str(folder / parts.path))
    if not tree.has(target):
        yield "leads nowhere"
    elif page.startswith("docs/") and not f"{target}/".startswith("docs/"):
        yield "leads out of the site"
    elif parts.fragment and not all(
        parts.fragment in known for known in _anchors(tree.read(target))
    ):
        yield "there is no such heading"


def every_page_is_in_the_navigation(tree: Tree) -> Iterator[str]:
    site = tree.yaml(".mkdocs.yml")
    there = {page.removeprefix("docs/") for page in pages(tree) if page.startswith("docs/")}
    named = set(_leaves(site["nav"]))
    for page in sorted(named - there):
        yield tree.at(".mkdocs.yml", page, f"`nav` names {page}, which is not there")
    listed = {
        f"{folder}/{link}"
        for folder in ("decisions", "runbooks")
        for link in links(tree.read(f"docs/{folder}/README.md"))
    }
    for page in sorted(there - named - listed):
        yield f"docs/{page}:1: is neither in `nav` of .mkdocs.yml nor in an index"


def _leaves(nav: object) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case dict():
            yield from _leaves(list(nav.values()))
        case list():
            for value in nav:
                yield from _leaves(value)


def what_is_named_exists(tree: Tree) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z0-9-]+):", tree.read("Makefile"), re.M))
    for page in written(tree):
        text = tree.read(page)
        for name in re.findall(r"NOTISTREAM_[\w…]*\w|NOTISTREAM_\w*…", text):
            if name not in SETTINGS and not EXAMPLES.match(name):
                yield tree.at(page, name, f"{name} is no setting")
        for name in code(text):
            for wrong in _wrong_with_name(name, targets):
                yield tree.at(page, name, f"{name}: {wrong}")


def _wrong_with_name(name: str, targets: set[str]) -> Iterator[str]:
    metric = re.fullmatch(r"(notistream_\w+)(\{.*\})?", name)
    if metric and metric[1] not in METRICS:
        yield "there is no such metric"
    target = re.fullmatch(r"make ([a-z0-9-]+)( .*)?", name)
    if target and target[1] not in targets:
        yield "there is no such target"
    for method, path in OPERATION.findall(name):
        if "…" not in path and path.startswith(SERVED) and not is_served(method, path):
            yield "there is no such route"


def is_served(method: str, path: str) -> bool:
    """Also `/a/{b}[/{c}]`, which stands for two."""
    short, whole = re.sub(r"\[.*?\]", "", path), re.sub(r"[\[\]]", "", path)
    return all((method, re.sub(r"\{\w+\}", "{}", each)) in PATHS for each in (short, whole))


def commands_exist_with_their_options(tree: Tree) -> Iterator[str]:
    for page in written(tree):
        text = tree.read(page)
        shown = [command for command in code(text) if command.startswith("notistream ")]
        shown += [
            line
            for block in blocks(page, text)
            if block.language in SHELL
            for line in block.text.splitlines()
            if re.match(r"(\$ )?notistream ", line)
        ]
        for command in shown:
            for wrong in wrong_with_command(command):
                yield tree.at(page, command, f"`{command}`: {wrong}")


def wrong_with_command(command: str) -> Iterator[str]:
    bare = re.sub(r"#.*", "", command.removeprefix("$ "))
    words = re.sub(r"[\[\]]", "", bare).split()
    known: click.Command = cli
    context = click.Context(cli)
    while isinstance(known, click.Group) and len(words) > 1:
        below = known.get_command(context, words[1])
        if below is None:
            break
        known = below
        words.pop(1)
    names = known.list_commands(context) if isinstance(known, click.Group) else words[1:2]
    below_it = set(words[1].split("|")) if len(words) > 1 and words[1][0].isalpha() else set()
    if not below_it <= {*names}:
        yield "there is no such command"
    options = {name for each in known.params for name in (*each.opts, *each.secondary_opts)}
    for word in words:
        name = word.partition("=")[0]
        if word.startswith("--") and name not in options | {"--help", "--version"}:
            yield f"there is no option {name}"


def a_block_is_run_or_says_why_not(tree: Tree) -> Iterator[str]:
    for page in written(tree):
        for block in blocks(page, tree.read(page)):
            for wrong in wrong_with_block(block):
                yield f"{block.place}: {wrong}"


def wrong_with_block(block: Block) -> Iterator[str]:
    if block.language not in RUN | SHOWN:
        yield f"nobody runs the language {block.language}"
    if block.language in SHOWN and LOOKS_LIKE_A_COMMAND.search(block.text):
        yield "a command: mark the block as `sh` or `console`"
    if block.not_run is not None and len(block.not_run) <= len("not here"):
        yield "does not say why it is not run"
    if block.language in SHELL - {"console"} and not is_whole(block.text):
        yield "the shell cannot read it"


def what_is_not_run_is_listed_with_its_reason(tree: Tree) -> Iterator[str]:
    found = {
        (page, block.not_run): block.place
        for page in written(tree)
        for block in blocks(page, tree.read(page))
        if block.not_run is not None
    }
    for key in found.keys() - NOT_RUN:
        yield f"{found[key]}: is not run for a reason that NOT_RUN does not list: {key[1]}"
    for page, reason in sorted(NOT_RUN - found.keys()):
        yield f"{page}:1: has no block any more that is not run because: {reason}"


LAWS = (
    links_lead_somewhere,
    every_page_is_in_the_navigation,
    what_is_named_exists,
    commands_exist_with_their_options,
    a_block_is_run_or_says_why_not,
    what_is_not_run_is_listed_with_its_reason,
)
