"""Which TCP ports are free, and how one is chosen."""

import errno
import secrets
import socket

from notistream.local.errors import LocalServicesError

# Below the ports that the system hands out for outgoing connections: a stopped server finds its
# port free again.
_CHOICE = range(20_000, 30_000)


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    return _error(host, port) is None


def refusal(host: str, port: int, *, setting: str) -> str | None:
    """Say why no server could listen there now, and what to set instead.

    `setting` is that of the port.
    """
    error = _error(host, port)
    if error is None:
        return None
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{host} is not an address of this machine; use one that is, for example"
            " NOTISTREAM_HOST=127.0.0.1"
        )
    if error.errno == errno.EADDRINUSE:
        free = next_free(host, port + 1)
        return (
            f"port {port} on {host} is taken by another program: stop that one, or choose another"
            f" port, for example {setting}={free}"
        )
    return (
        f"port {port} on {host} cannot be used ({error.strerror}); choose another, for example"
        f" {setting}=8080"
    )


def _error(host: str, port: int) -> OSError | None:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as exc:
        return exc
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a closed connection that lingers in TIME_WAIT does not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as exc:
            return exc
    return None


def choose(host: str, count: int) -> tuple[int, ...]:
    """Return that many different free ports."""
    found: set[int] = set()
    for _ in range(500):
        if is_free(host, port := secrets.choice(_CHOICE)):
            found.add(port)
        if len(found) == count:
            return tuple(found)
    raise LocalServicesError(
        f"There is no free port on {host} between {_CHOICE.start} and {_CHOICE.stop}."
    )


def next_free(host: str, first: int) -> int:
    """Return `first` or the nearest free port above it."""
    for port in range(first, min(first + 100, 65_536)):
        if is_free(host, port):
            return port
    raise LocalServicesError(f"There is no free port on {host} from {first} on.")
