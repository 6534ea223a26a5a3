"""How code is laid out: what lies at the top, how long things are, and how they are named."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from statistics import median, quantiles

from tests.laws.tree import Tree

SOURCES = ("notistream/*.py", "agents/*.py", "tables/*.py", "clients/*.py")
LINKS = {"notistream/agents", "notistream/tables"}
TOP_LEVEL = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "agents",
    "benchmarks",
    "clients",
    "compose.yaml",
    "constraints.txt",
    "deploy",
    "docs",
    "migrations",
    "notistream",
    "pyproject.toml",
    "tables",
    "tests",
}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
MEDIAN_FUNCTION, P90_FUNCTION, MEDIAN_FILE = 8, 20, 130
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(tree: Tree) -> list[str]:
    """Every module of the product."""
    return [path for path in tree.files(*SOURCES) if "/tests/" not in path]


@cache
def functions(text: str) -> list[Function]:
    return [
        node
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def length(function: Function) -> int:
    """Its lines without decorators."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    """How many there are, without `self`, `cls`, `*args` and `**options`."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def nothing_unexpected_lies_at_the_top(tree: Tree) -> Iterator[str]:
    top = {path.partition("/")[0] for path in tree.paths}
    for name in sorted(top - TOP_LEVEL):
        if not name.startswith("."):
            yield f"{name}:1: is not one of the things that lie at the top of the repository"


def folders_at_the_top_are_linked_into_the_package(tree: Tree) -> Iterator[str]:
    for name in sorted(LINKS):
        if tree.link(name) != f"../{name.rpartition('/')[2]}":
            yield f"{name}:1: is no link to the folder at the top: git config core.symlinks true"


def a_module_says_first_what_it_owns(tree: Tree) -> Iterator[str]:
    for path in sources(tree):
        text = ast.get_docstring(parsed(tree.read(path)))
        if not text:
            yield f"{path}:1: has no module docstring"
        elif not text.split("\n\n")[0].rstrip().endswith("."):
            yield f"{path}:1: its docstring does not open with one whole sentence"


def a_module_is_named_after_what_it_owns(tree: Tree) -> Iterator[str]:
    for path in sources(tree):
        for name in sorted(VAGUE & set(path.removesuffix(".py").split("/"))):
            yield f"{path}:1: `{name}` does not say what it owns"


def files_are_short(tree: Tree) -> Iterator[str]:
    for path in sources(tree):
        lines = len(tree.read(path).splitlines())
        if lines > MAX_FILE_LINES:
            yield f"{path}:{MAX_FILE_LINES}: has {lines} lines; {MAX_FILE_LINES} are allowed"


def functions_are_short(tree: Tree) -> Iterator[str]:
    for path in sources(tree):
        for found in functions(tree.read(path)):
            if length(found) > MAX_FUNCTION_LINES:
                yield (
                    f"{path}:{found.lineno}: {found.name} has {length(found)} lines;"
                    f" {MAX_FUNCTION_LINES} are allowed"
                )


def functions_take_few_parameters(tree: Tree) -> Iterator[str]:
    for path in sources(tree):
        for found in functions(tree.read(path)):
            if parameters(found) > MAX_PARAMETERS:
                yield (
                    f"{path}:{found.lineno}: {found.name} takes {parameters(found)} parameters;"
                    f" {MAX_PARAMETERS} are allowed, else a value object"
                )


def most_are_shorter_still(tree: Tree) -> Iterator[str]:
    """The middle and the upper tenth of all lengths."""
    for name, (found, allowed) in sizes(tree).items():
        if found > allowed:
            yield f"notistream:1: {name} is {found:g} lines; {allowed} are allowed"


def sizes(tree: Tree) -> dict[str, tuple[float, int]]:
    """What is measured, and what is allowed."""
    texts = [tree.read(path) for path in sources(tree)]
    lengths = [length(function) for text in texts for function in functions(text)]
    files = [len(text.splitlines()) for text in texts if text.strip()]
    return {
        "the median of all functions": (median(lengths), MEDIAN_FUNCTION),
        "the 90th percentile of all functions": (quantiles(lengths, n=10)[-1], P90_FUNCTION),
        "the median of all files": (median(files), MEDIAN_FILE),
    }


def lines_are_formatted_not_broken_by_hand(tree: Tree) -> Iterator[str]:
    """`make lint` runs `ruff format --check` on a line of its own."""
    if not re.search(r"^\t\$\(BIN\)/ruff format --check \.$", tree.read("Makefile"), re.M):
        yield tree.at("Makefile", "\nlint:", "`make lint` does not check the format")


LAWS = (
    nothing_unexpected_lies_at_the_top,
    folders_at_the_top_are_linked_into_the_package,
    a_module_says_first_what_it_owns,
    a_module_is_named_after_what_it_owns,
    files_are_short,
    functions_are_short,
    functions_take_few_parameters,
    most_are_shorter_still,
    lines_are_formatted_not_broken_by_hand,
)
