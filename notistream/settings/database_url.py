"""DATABASE_URL and its TLS options, checked before anything connects."""

import os
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SCHEMES = ("postgresql", "postgres")
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
GOOD = (
    "for example"
    " postgresql://…/notistream?sslmode=verify-full&sslrootcert=/etc/notistream/postgres-ca.pem"
)


def checked(url: str) -> str:
    """Return the URL.

    Raises:
        ValueError: no URL of PostgreSQL, unknown sslmode, or a file that it names or needs cannot
            be used; it never shows the password.
    """
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise ValueError(f"it must begin with postgresql://; {GOOD}")
    options = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    mode = options.get("sslmode", "prefer")
    if mode not in MODES:
        raise ValueError(f"sslmode={mode} is not one of {', '.join(MODES)}; {GOOD}")
    for name in ("sslrootcert", "sslcert", "sslkey"):
        if name in options and not os.access(options[name], os.R_OK):
            raise ValueError(f"{name}={options[name]} cannot be read; {GOOD}")
    root = options.get("sslrootcert") or os.environ.get("PGSSLROOTCERT") or "~/.postgresql/root.crt"
    if mode.startswith("verify-"):
        _trust(Path(root).expanduser(), mode)
    return url


def _trust(root: Path, mode: str) -> None:
    try:
        ssl.create_default_context(cafile=str(root))
    except OSError as exc:  # ssl.SSLError is one
        raise ValueError(
            f"sslmode={mode} needs the authority's certificate as a PEM file, and {root} cannot be"
            f" used ({exc.strerror or exc}): name it in sslrootcert; {GOOD}"
        ) from None
