"""Ids in request paths."""

from uuid import UUID

from aiohttp import web

from notistream.errors import NotFound


def path_id(request: web.Request) -> UUID:
    """The id in the path; what is not a UUID does not exist."""
    try:
        return UUID(request.match_info["id"])
    except ValueError:
        raise NotFound(f"there is nothing at {request.path[:200]}") from None
