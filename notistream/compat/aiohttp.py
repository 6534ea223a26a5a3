"""Private parts of aiohttp: what a server's connection is doing."""

from aiohttp.web_protocol import RequestHandler


def is_serving(connection: RequestHandler) -> bool:
    """Whether a request is being served; nothing public tells."""
    return connection._request_in_progress


def requests_served(connection: RequestHandler) -> int:
    """How many requests a connection has brought; nothing public tells."""
    return connection._request_count
