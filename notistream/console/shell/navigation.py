"""The menu of the console; it leaves out places that no route serves."""

from collections.abc import Sequence
from dataclasses import dataclass

from notistream.web.server.route import RouteTable


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the menu."""

    path: str
    label: str
    here: bool = False


PLACES = (
    ("/console", "Overview"),
    ("/console/notifications", "Notifications"),
    ("/console/dead-letters", "Dead letters"),
    ("/console/replays", "Replays"),
    ("/console/templates", "Templates"),
    ("/console/recipients", "Recipients"),
    ("/console/tenants", "Tenants"),
    ("/console/webhooks", "Webhooks"),
    ("/console/sandbox", "Sandbox"),
    ("/console/audit-log", "Audit log"),
    ("/console/health", "Health"),
)


def menu(routes: RouteTable, path: str) -> Sequence[Place]:
    """The entries that are served; the one that this path belongs to is marked."""
    return [
        Place(place, label, _within(path, place))
        for place, label in PLACES
        if routes.find("GET", place)
    ]


def _within(path: str, place: str) -> bool:
    return path == place or (place != "/console" and path.startswith(f"{place}/"))
