"""Style sheet, scripts and icon, each at an address that changes with its content."""

import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web

from notistream.errors import NotFound

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: path for path in FOLDER.iterdir() if path.suffix in KINDS}


async def serve(request: web.Request) -> web.StreamResponse:
    """Serve a file; browsers may cache it for ever, because a changed file gets a new address."""
    found = FILES.get(request.match_info["name"])
    if found is None:
        raise NotFound(f"there is nothing at {request.path[:200]}")
    return web.FileResponse(
        found,
        headers={
            "Content-Type": f"{KINDS[found.suffix]}; charset=utf-8",
            "Cache-Control": "max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        },
    )


@cache
def address(name: str) -> str:
    """The address of a file."""
    return f"/console/assets/{name}?v={hashlib.sha256(FILES[name].read_bytes()).hexdigest()[:12]}"
