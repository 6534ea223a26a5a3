"""Settings of the server: addresses, the database, who may enter, and streams."""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from notistream.settings import database_url as database_urls

TOKEN_LENGTH = 16
SECRET_LENGTH = 32  # characters; as long as the hash of HS256
OPERATOR = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
RESERVED = ("admin", "local")
"""Names that the console gives by itself."""


def secrets_of(value: SecretStr | None) -> list[str]:
    """The secrets of a setting that may hold several, the one in use first.

    An empty one counts, and is too short.
    """
    return [secret.strip() for secret in value.get_secret_value().split(",")] if value else []


class ServerSettings(BaseSettings):
    """Addresses, the database, who may enter, and streams."""

    host: str = Field("127.0.0.1", description="Address that the HTTP server binds.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the API.")
    worker_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description=(
            "Port of a worker's own web server (probes, /metrics). Default: PORT + 1 + WORKER_SLOT."
        ),
    )
    database_url: str | None = Field(
        None,
        description=(
            "PostgreSQL, e.g. postgresql://user:pass@db:5432/notistream; over TLS with"
            " ?sslmode=verify-full&sslrootcert=/path/ca.pem. Unset: the embedded server under"
            " STATE_DIR."
        ),
    )
    database_pool_size: int = Field(
        8, ge=2, le=200, description="PostgreSQL connections per process."
    )
    state_dir: Path = Field(
        Path(".local"),
        description="Folder of the embedded services, worker tables and local secrets.",
    )
    auth: Literal["on", "off"] = Field(
        "on",
        description="off: one tenant `default`, no key needed; refused on a non-loopback HOST.",
    )
    allow_insecure: bool = Field(
        False,
        description="1: allow AUTH=off on a non-loopback HOST (a private network of containers).",
    )
    admin_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Token for /internal (header X-Admin-Token). Unset: /internal is 401.",
    )
    console_tokens: dict[str, SecretStr] = Field(
        default_factory=dict,
        description=(
            "Who may sign in at /console and act there, as JSON: name to token of 16 characters or"
            ' more, e.g. {"ada": "<token>"}. The admin token signs in too, as `admin`.'
        ),
    )
    console_read_tokens: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Who may sign in at /console and only look; as CONSOLE_TOKENS.",
    )
    api_rate_limit: str = Field(
        "12000/minute",
        pattern=r"^(0|\d{1,9}/(second|minute|hour|day|[1-9]\d{0,3}[smh]))$",
        description=(
            "HTTP requests per API key over all API processes, any count and span such as 50/2s; 0"
            " = none. None while AUTH=off."
        ),
    )
    jwt_secret: SecretStr | None = Field(
        None,
        description=(
            "Secrets of the tokens that let browsers in (POST /api/v1/ws-token), at least 32"
            " characters each, separated by commas: the first signs, all verify. Unset: no tokens."
        ),
    )
    ws_connections: int = Field(
        10_000, ge=1, le=1_000_000, description="WebSockets that an API process holds open at once."
    )
    ws_connections_per_tenant: int = Field(
        5_000, ge=1, le=1_000_000, description="Of these, how many may be of one tenant."
    )
    ws_queue: int = Field(
        10_000,
        ge=1000,
        le=1_000_000,
        description="Status updates that wait for a slow WebSocket client before it is dropped.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description=(
            "Address under which recipients reach this server, for links in "
            "messages; RFC 8058 wants https. Default: http://HOST:PORT."
        ),
    )
    unsubscribe_secret: SecretStr | None = Field(
        None,
        description=(
            "Secrets of 32 characters or more that sign unsubscribe links, separated by commas: the"
            " first signs, all are accepted. Unset: e-mail has no such links."
        ),
    )

    @field_validator("database_url")
    @classmethod
    def _readable_tls(cls, value: str | None) -> str | None:
        return database_urls.checked(value) if value else value

    @field_validator("jwt_secret", "unsubscribe_secret")
    @classmethod
    def _long_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if any(len(secret) < SECRET_LENGTH for secret in secrets_of(value)):
            raise ValueError(f"each secret must have at least {SECRET_LENGTH} characters")
        return value

    @field_validator("console_tokens", "console_read_tokens")
    @classmethod
    def _usable_tokens(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if wrong := [name for name in value if not OPERATOR.match(name) or name in RESERVED]:
            raise ValueError(
                f"{wrong[0]!r} is no name for an operator: a-z, 0-9, . _ -; not"
                f" {' or '.join(RESERVED)}"
            )
        if any(len(token.get_secret_value()) < TOKEN_LENGTH for token in value.values()):
            raise ValueError(f"each token must have at least {TOKEN_LENGTH} characters")
        return value

    @cached_property
    def public_base(self) -> str:
        """What links in messages begin with."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"
