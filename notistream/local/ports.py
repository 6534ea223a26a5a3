"""Which TCP ports are free, and how one is chosen."""

import secrets
import socket

from notistream.local.errors import LocalServicesError

# Below the ports that the system hands out for outgoing connections: a stopped server finds its port free again.
_CHOICE = range(20_000, 30_000)


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a closed connection that lingers in TIME_WAIT does not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def choose(host: str, count: int) -> tuple[int, ...]:
    """Return that many different free ports."""
    found: set[int] = set()
    for _ in range(500):
        if is_free(host, port := secrets.choice(_CHOICE)):
            found.add(port)
        if len(found) == count:
            return tuple(found)
    raise LocalServicesError(f"There is no free port on {host} between {_CHOICE.start} and {_CHOICE.stop}.")


def next_free(host: str, first: int) -> int:
    """Return `first` or the nearest free port above it."""
    for port in range(first, min(first + 100, 65_536)):
        if is_free(host, port):
            return port
    raise LocalServicesError(f"There is no free port on {host} from {first} on.")
