"""The connection to Kafka: where the brokers are, over TLS or not, and who we log in as."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the brokers."""

    mechanism: Mechanism
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kafka:
    """The brokers of one installation; the same for all clients of a process."""

    brokers: str
    tls: ssl.SSLContext | None = None
    login: Login | None = None

    def __str__(self) -> str:
        return self.brokers

    @property
    def protocol(self) -> Protocol:
        """What Kafka calls this combination."""
        if self.login:
            return "SASL_SSL" if self.tls else "SASL_PLAINTEXT"
        return "SSL" if self.tls else "PLAINTEXT"

    @property
    def broker_options(self) -> dict[str, Any]:
        """How to speak to one broker, as aiokafka takes it."""
        options: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.login:
            options |= {
                "sasl_mechanism": self.login.mechanism,
                "sasl_plain_username": self.login.username,
                "sasl_plain_password": self.login.password,
            }
        return options

    @property
    def options(self) -> dict[str, Any]:
        """What every client of aiokafka is given."""
        return {"bootstrap_servers": self.brokers, **self.broker_options}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What is set about TLS and login, not yet judged."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)


def connection_of(brokers: str | None, access: ConnectionOptions) -> Kafka:
    """Make of the settings what the clients need.

    Raises:
        ValueError: they contradict each other, or a file cannot be used; names the setting and a
          good value.
    """
    if access.protocol != "PLAINTEXT" and not brokers:
        raise ValueError(
            f"NOTISTREAM_KAFKA_SECURITY_PROTOCOL={access.protocol} needs NOTISTREAM_KAFKA_BROKERS:"
            " the embedded broker of `make run` speaks PLAINTEXT"
        )
    return Kafka(brokers or "", _tls(access), _login(access))


def _login(access: ConnectionOptions) -> Login | None:
    given = {
        "SASL_MECHANISM": access.mechanism,
        "USERNAME": access.username,
        "PASSWORD": access.password,
    }
    if not access.protocol.startswith("SASL_"):
        _refuse_idle(given, access.protocol, "SASL_SSL")
        return None
    if access.mechanism and access.username and access.password:
        return Login(access.mechanism, access.username, access.password)
    good = {"SASL_MECHANISM": "SCRAM-SHA-512", "USERNAME": "notistream", "PASSWORD": "…"}
    missing = [name for name, value in given.items() if not value]
    raise ValueError(
        f"NOTISTREAM_KAFKA_{missing[0]} is missing:"
        f" NOTISTREAM_KAFKA_SECURITY_PROTOCOL={access.protocol} needs it (for example"
        f" NOTISTREAM_KAFKA_{missing[0]}={good[missing[0]]})"
    )


def _tls(access: ConnectionOptions) -> ssl.SSLContext | None:
    given = {
        "CA_FILE": access.ca_file,
        "CERTIFICATE_FILE": access.certificate_file,
        "KEY_FILE": access.key_file,
        "KEY_PASSWORD": access.key_password,
    }
    if not access.protocol.endswith("SSL"):
        _refuse_idle(
            given, access.protocol, "SASL_SSL" if access.protocol.startswith("SASL") else "SSL"
        )
        return None
    context = _trusting(access.ca_file) if access.ca_file else ssl.create_default_context()
    if access.certificate_file:
        _present(context, access)
    elif access.key_file or access.key_password:
        raise ValueError(
            "NOTISTREAM_KAFKA_CERTIFICATE_FILE is missing beside NOTISTREAM_KAFKA_KEY_FILE (for"
            " example NOTISTREAM_KAFKA_CERTIFICATE_FILE=/etc/notistream/client.pem)"
        )
    return context


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(
            cafile=str(ca_file)
        )  # this authority alone, not the system's as well
    except OSError as exc:  # ssl.SSLError is one
        raise ValueError(
            f"NOTISTREAM_KAFKA_CA_FILE={ca_file} cannot be used ({exc.strerror or exc}): name a PEM"
            " file with the certificate of the authority, for example"
            " NOTISTREAM_KAFKA_CA_FILE=/etc/notistream/kafka-ca.pem"
        ) from None


def _present(context: ssl.SSLContext, access: ConnectionOptions) -> None:
    # A function, because a plain None would ask at the terminal for the password of a key that has
    # one.
    password = access.key_password or ""
    try:
        context.load_cert_chain(str(access.certificate_file), access.key_file, lambda: password)
    except (OSError, ValueError) as exc:
        raise ValueError(
            f"NOTISTREAM_KAFKA_CERTIFICATE_FILE={access.certificate_file} and"
            f" NOTISTREAM_KAFKA_KEY_FILE={access.key_file or ''} cannot be used"
            f" ({getattr(exc, 'strerror', None) or exc}): name a certificate and its own key as PEM"
            " files, with NOTISTREAM_KAFKA_KEY_PASSWORD where the key has a password"
        ) from None


def _refuse_idle(given: dict[str, Any], protocol: Protocol, good: Protocol) -> None:
    """Refuse what would not be used: else a forgotten protocol would send it all in the clear."""
    if idle := [name for name, value in given.items() if value]:
        raise ValueError(
            f"NOTISTREAM_KAFKA_{idle[0]} is set, but NOTISTREAM_KAFKA_SECURITY_PROTOCOL={protocol}"
            f" does not use it: set NOTISTREAM_KAFKA_SECURITY_PROTOCOL={good}, or leave it out"
        )
