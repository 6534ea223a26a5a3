"""Settings: everything that can be set from outside, read once from NOTISTREAM_… and `.env`."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from notistream.kafka.connection import ConnectionOptions, Kafka, Mechanism, Protocol, connection_of
from notistream.settings import database_url as database_urls

PREFIX = "NOTISTREAM_"
TOKEN_LENGTH = 16
OPERATOR = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
RESERVED = ("admin", "local")
"""Names that the console gives by itself."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECRET_LENGTH = 32  # characters; as long as the hash of HS256


class Settings(BaseSettings):
    """Immutable settings; the real environment wins over `.env`, and both over the defaults here."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

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
    kafka_brokers: str | None = Field(
        None,
        description=(
            "Kafka bootstrap servers, e.g. kafka:9092,kafka2:9092. "
            "Unset: the embedded broker under STATE_DIR."
        ),
    )
    kafka_security_protocol: Protocol = Field(
        "PLAINTEXT",
        description="How to speak to the brokers: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    )
    kafka_sasl_mechanism: Mechanism | None = Field(
        None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; the SASL protocols need it."
    )
    kafka_username: str | None = Field(None, description="User of the SASL protocols.")
    kafka_password: SecretStr | None = Field(None, description="Password of KAFKA_USERNAME.")
    kafka_ca_file: Path | None = Field(
        None,
        description=(
            "PEM file of the authority that signs the brokers' certificates. Unset: the system's"
            " own."
        ),
    )
    kafka_certificate_file: Path | None = Field(
        None, description="PEM file of our certificate, for brokers that ask."
    )
    kafka_key_file: Path | None = Field(
        None, description="PEM file of its key. Unset: in KAFKA_CERTIFICATE_FILE."
    )
    kafka_key_password: SecretStr | None = Field(
        None, description="Password of that key, where it has one."
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
    webhook_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="When set, sms, email and push are POSTed to this address.",
    )
    webhook_timeout_s: float = Field(
        10.0,
        gt=0,
        le=15,
        description="Seconds that a provider call may take; at most half of LEASE_S.",
    )
    webhook_allow_networks: str = Field(
        "",
        description=(
            "Networks and hosts that tenants' webhooks may reach although they are not public, also"
            " by plain http, e.g. 127.0.0.0/8,::1/128,hooks.internal. `make run` allows loopback."
        ),
    )
    providers: dict[str, list[str]] = Field(
        default_factory=dict,
        description=(
            'Ordered providers of each channel as JSON, e.g. {"sms": ["webhook", "console"]}.'
        ),
    )
    rate_limit_per_channel: float = Field(
        100.0,
        ge=0,
        le=1_000_000,
        description=(
            "Calls per second to each provider of a channel, all workers together; 0 = no limit."
        ),
    )
    provider_rate_limits: dict[str, Annotated[float, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=dict,
        description=(
            "Calls per second where they differ, by provider or channel/provider, as JSON, "
            'e.g. {"webhook": 500, "sms/twilio": 20}.'
        ),
    )
    recipient_rate_limit: str = Field(
        "60/minute",
        pattern=r"^(0|\d{1,9}/(second|minute|[1-9]\d{0,2}s|([1-9]|10)m))$",
        description=(
            "Messages to one recipient over one channel, any count and span such as 50/2s; 0 ="
            " none."
        ),
    )
    dlq_limit: str = Field(
        "1000/minute",
        pattern=r"^(0|\d{1,9}/(second|minute|hour|day|[1-9]\d{0,5}[smh]))$",
        description=(
            "Undecodable records and internal errors that a worker buries per channel, any count"
            " and span; then the lane stops and says so. 0 = no limit."
        ),
    )
    breaker_failures: int = Field(
        5,
        ge=1,
        le=1000,
        description="Outages in a row after which a provider's circuit breaker opens.",
    )
    breaker_open_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds that it stays open before one call may try again."
    )
    worker_concurrency: int = Field(
        64,
        ge=1,
        le=4096,
        description="Notifications in flight per lane (channel and priority) of a worker.",
    )
    worker_slot: int = Field(
        0,
        ge=0,
        le=9999,
        description="Number of this worker on its machine: own datadir, instance id and port.",
    )
    lease_s: float = Field(
        30.0,
        ge=1,
        le=600,
        description="Seconds that a delivery is claimed for before another worker takes over.",
    )
    topic_prefix: str = Field(
        "notistream",
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="First part of every topic name.",
    )
    topic_partitions: int = Field(8, ge=1, le=1000, description="Partitions of every topic.")
    topic_replication: int = Field(1, ge=1, le=5, description="Replicas of every topic.")
    sms_max_length: int = Field(
        160, ge=1, le=1600, description="Characters that an SMS may have, rendered."
    )
    idempotency_window_h: int = Field(
        168, ge=1, le=8760, description="Hours for which an idempotency key is remembered (7 days)."
    )
    retention_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description=(
            "Days for which notifications are kept once they have ended, with their attempts,"
            " traces, batches and deleted templates; at least IDEMPOTENCY_WINDOW_H. 0 = for ever."
        ),
    )
    retention_dead_letters_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description=(
            "Days for which dead letters are kept, replayed or not; more than 30, as long as Kafka"
            " has them. Until one goes or is decided on, its notification stays. 0 = for ever."
        ),
    )
    retention_inbox_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days for which messages stay in inboxes, read or not. 0 = for ever.",
    )
    retention_webhooks_days: int = Field(
        90,
        ge=0,
        le=36_500,
        description="Days for which deliveries to webhooks that have ended are kept. 0 = for ever.",
    )
    retention_audit_log_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description=(
            "Days for which the log of what operators did is kept; 7 or more. 0 = for ever."
        ),
    )
    database_pool_size: int = Field(
        8, ge=2, le=200, description="PostgreSQL connections per process."
    )
    audit_interval_s: float = Field(
        3600.0, ge=1, le=86_400, description="Seconds between two audits; one worker does each."
    )
    audit_repair: bool = Field(
        True,
        description=(
            "Whether these audits wake what was forgotten (a copy that still turns up is dropped)."
        ),
    )
    watchdog_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description=(
            "Seconds without progress on a partition that has records and waits for nothing, until"
            " that is reported; after twice as long a worker ends itself, to be started again. 0 ="
            " never."
        ),
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description=(
            "OpenTelemetry collector (OTLP over HTTP), e.g. http://127.0.0.1:4318. Unset: no"
            " traces."
        ),
    )
    trace_sampling: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the traces that begin here and are kept; a caller's own choice wins.",
    )
    trace_url: str | None = Field(
        None,
        pattern=r"^https?://\S*\{trace_id\}",
        description=(
            "Where the console finds a trace, e.g. http://127.0.0.1:16686/trace/{trace_id}."
        ),
    )
    log_addresses: bool = Field(
        False,
        description=(
            "1: write addresses and texts of messages into logs as they are; otherwise masked or"
            " left out."
        ),
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, JSON elsewhere."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level logged."
    )

    @field_validator("log_level", "kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

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
    def _fit_for_operators(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if wrong := [name for name in value if not OPERATOR.match(name) or name in RESERVED]:
            raise ValueError(
                f"{wrong[0]!r} is no name for an operator: a-z, 0-9, . _ -; not"
                f" {' or '.join(RESERVED)}"
            )
        if any(len(token.get_secret_value()) < TOKEN_LENGTH for token in value.values()):
            raise ValueError(f"each token must have at least {TOKEN_LENGTH} characters")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.auth == "off" and self.host not in LOOPBACK and not self.allow_insecure:
            raise ValueError(
                f"{PREFIX}AUTH=off is refused on {self.host}: use {PREFIX}HOST=127.0.0.1,"
                f" {PREFIX}AUTH=on, or {PREFIX}ALLOW_INSECURE=1"
            )
        if self.webhook_timeout_s > self.lease_s / 2:
            raise ValueError(
                f"{PREFIX}WEBHOOK_TIMEOUT_S must be at most half of {PREFIX}LEASE_S:"
                f" {self.lease_s / 2:g}"
            )
        self._refuse_short_retention()
        _ = self.kafka
        return self

    def _refuse_short_retention(self) -> None:
        for name, days in {
            "retention_days": -(
                -self.idempotency_window_h // 24
            ),  # a key leads to its notification
            "retention_dead_letters_days": (
                31
            ),  # the topic's own 30 days: who reads it again must find them here
            "retention_audit_log_days": 7,  # the audit looks for its last run there
        }.items():
            if 0 < getattr(self, name) < days:
                raise ValueError(f"{PREFIX}{name.upper()} must be {days} or more, or 0")

    @property
    def kafka(self) -> Kafka:
        """Where Kafka is, and how to speak to it; reads the files that are named."""
        return connection_of(
            self.kafka_brokers,
            ConnectionOptions(
                protocol=self.kafka_security_protocol,
                mechanism=self.kafka_sasl_mechanism,
                username=self.kafka_username,
                password=_revealed(self.kafka_password),
                ca_file=self.kafka_ca_file,
                certificate_file=self.kafka_certificate_file,
                key_file=self.kafka_key_file,
                key_password=_revealed(self.kafka_key_password),
            ),
        )

    @cached_property
    def public_base(self) -> str:
        """What links in messages begin with."""
        return (
            self.public_url
            or f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        )

    @cached_property
    def metrics_port(self) -> int:
        """Port of this worker's own web server."""
        return self.worker_port or self.port + 1 + self.worker_slot


def secrets_of(value: SecretStr | None) -> list[str]:
    """The secrets of a setting that may hold several, the one in use first.

    An empty one is there, and too short.
    """
    return [secret.strip() for secret in value.get_secret_value().split(",")] if value else []


def _revealed(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
