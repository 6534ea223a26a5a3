"""Rows of the route table: method, path, handler and the documented operation."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Guard = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query or path parameter, or a request header."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A JSON body: its type (a pydantic-compatible type) and examples by name."""

    type: Any
    examples: Mapping[str, Any]
    required: bool = True
    """Whether a request must have this body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status that the operation answers with; without `content` the body is text, or none."""

    description: str
    content: Content | None = None
    media_type: str | None = "application/json"
    """None: the answer has no body."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How the document describes a route."""

    id: str
    tag: str
    summary: str
    description: str = ""
    body: Content | None = None
    query: Sequence[Parameter] = ()
    path: Sequence[Parameter] = ()
    """Path parameters that are not UUIDs."""
    answers: Mapping[int, Answer]
    problems: Sequence[int] = ()
    headers: Sequence[Parameter] = ()
    """Request headers of this operation alone."""
    idempotent: bool = False
    """Takes an Idempotency-Key header."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One row; `public` needs no key, `admin` needs the admin token.

    A route without an operation is a page that is not in the document.
    """

    method: str
    path: str
    handler: Handler
    operation: Operation | None = None
    public: bool = False
    admin: bool = False
    token: bool = False
    """Takes a recipient's token instead of a key."""
    guard: Guard | None = None
    """Replaces the API's authentication; the console's pages use one."""


class RouteTable:
    """The rows that an application serves, found by method and canonical path."""

    def __init__(self, rows: Sequence[Route]) -> None:
        self.rows = tuple(rows)
        self._found = {(row.method, row.path): row for row in self.rows}

    def find(self, method: str, path: str) -> Route | None:
        """HEAD is served by the GET row."""
        return self._found.get(("GET" if method == "HEAD" else method, path))
