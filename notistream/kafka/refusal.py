"""Why Kafka refuses us, in words, with the remedy: clients say only that no broker let them in."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from notistream.kafka.connection import Kafka

PATIENCE_S = 5.0
CLIENT_CERTIFICATE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "HANDSHAKE_FAILURE",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a broker's answer means, and the remedy."""

    detail: str
    remedy: str


async def refusal(kafka: Kafka) -> Refusal | None:
    """Ask the brokers in turn to let us in: None once one does, else the last refusal."""
    found = Refusal("no broker is named", "set NOTISTREAM_KAFKA_BROKERS, for example kafka:9092")
    for host, port, _ in collect_hosts(kafka.brokers, randomize=False):
        try:
            async with asyncio.timeout(PATIENCE_S):
                connection = await create_conn(
                    host, port, client_id="notistream-access", **kafka.broker_options
                )
        except (KafkaError, OSError) as exc:
            found = _read(f"{host}:{port}", kafka, exc)
        else:
            connection.close()
            return None
    return found


def _read(place: str, kafka: Kafka, error: BaseException) -> Refusal:
    meaning = next((meaning for kind, meaning in MEANINGS if isinstance(error, kind)), None)
    if meaning is not None:
        return meaning(place, kafka, error)
    words = str(error) or type(error).__name__
    return Refusal(
        f"{place} is not reachable: {words}", "start it, or correct NOTISTREAM_KAFKA_BROKERS"
    )


def _untrusted(place: str, _kafka: Kafka, error: BaseException) -> Refusal:
    reason = getattr(error, "verify_message", None) or error
    return Refusal(
        f"{place} is not reachable: its certificate is not trusted ({reason})",
        "name the authority that signed it in NOTISTREAM_KAFKA_CA_FILE, and in"
        " NOTISTREAM_KAFKA_BROKERS the names that the certificate holds",
    )


def _unspoken(place: str, kafka: Kafka, error: BaseException) -> Refusal:
    if any(alert in str(error).upper().replace(" ", "_") for alert in CLIENT_CERTIFICATE_ALERTS):
        return Refusal(
            f"{place} is not reachable: it does not accept our certificate ({error})",
            "set NOTISTREAM_KAFKA_CERTIFICATE_FILE and NOTISTREAM_KAFKA_KEY_FILE to a certificate"
            " that it trusts",
        )
    return _closed(place, kafka, error)


def _closed(place: str, kafka: Kafka, error: BaseException) -> Refusal:
    wanted = ", NOTISTREAM_KAFKA_CERTIFICATE_FILE where it asks for a certificate"
    own = wanted if kafka.tls else ""
    return Refusal(
        f"{place} is not reachable: it ended a conversation in {kafka.protocol} ({error})",
        f"set NOTISTREAM_KAFKA_SECURITY_PROTOCOL to what this port of the broker speaks{own}",
    )


def _unknown(place: str, kafka: Kafka, error: BaseException) -> Refusal:
    name = kafka.login.username if kafka.login else "nobody"
    return Refusal(
        f"{place} is not reachable: it refuses user {name} or the password ({error})",
        "correct NOTISTREAM_KAFKA_USERNAME and NOTISTREAM_KAFKA_PASSWORD, and see whether the user"
        " exists for NOTISTREAM_KAFKA_SASL_MECHANISM",
    )


def _unsupported(place: str, kafka: Kafka, error: BaseException) -> Refusal:
    mechanism = kafka.login.mechanism if kafka.login else "SASL"
    return Refusal(
        f"{place} is not reachable: it does not take {mechanism} ({error})",
        "set NOTISTREAM_KAFKA_SASL_MECHANISM to one that it does, or"
        " NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SSL",
    )


# The order counts: each kind is also of a later one's kind.
MEANINGS: tuple[tuple[type[BaseException], Callable[[str, Kafka, BaseException], Refusal]], ...] = (
    (ssl.SSLCertVerificationError, _untrusted),
    (ssl.SSLError, _unspoken),
    (SaslAuthenticationFailed, _unknown),
    (UnsupportedSaslMechanismError, _unsupported),
    (IllegalSaslStateError, _unsupported),
    (KafkaConnectionError, _closed),
    (ConnectionResetError, _closed),
)
