"""Ids in request paths."""

from uuid import UUID

from aiohttp import web

from notistream.errors import NotFound


def path_id(request: web.Request) -> UUID:
    """Return the id in the path; raises NotFound if it is not a UUID."""
    try:
        return UUID(request.match_info["id"])
    except ValueError:
        raise NotFound(f"there is nothing at {request.path[:200]}") from None
