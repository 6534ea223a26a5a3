"""Ids in request paths."""

from uuid import UUID

from aiohttp import web

from notistream.errors import NotFound


def path_id(request: web.Request, name: str = "id") -> UUID:
    """An id in the path.

    Raises:
        NotFound: it is not a UUID, so nothing has this address.
    """
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise NotFound(f"there is nothing at {request.path[:200]}") from None
