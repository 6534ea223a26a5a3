"""Errors of the embedded services; each message says what to do."""

import importlib
import threading
import warnings
from pathlib import Path
from typing import Any

from notistream.errors import NotiStreamError

_ONE_IMPORT = threading.Lock()  # the services start in two threads, and catch_warnings is for one


class LocalServicesError(NotiStreamError):
    """The embedded services cannot be used."""

    code = "local_services"


def load(module: str) -> Any:
    """Import a package of the extra `local`; raise LocalServicesError saying how to install it."""
    try:
        # Their remarks about optional parts of the system (a SOCKS library, a session folder) are
        # no news for a user.
        with _ONE_IMPORT, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as exc:
        raise LocalServicesError(
            f"The embedded services need the package of module `{module.partition('.')[0]}`, which"
            f" does not load ({exc}). Install it with: pip install 'notistream[local]'. Or use"
            " services of your own: NOTISTREAM_DATABASE_URL and NOTISTREAM_KAFKA_BROKERS."
        ) from exc


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented for an error message."""
    try:
        last = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        last = []
    return "\n".join(f"    {line[:300]}" for line in last) or "    (the log is empty)"
