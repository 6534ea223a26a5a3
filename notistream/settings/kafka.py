"""Settings of Kafka: where the brokers are, who we are to them, and how topics are sized."""

from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from notistream.kafka.connection import ConnectionOptions, Kafka, Mechanism, Protocol, connection_of


class KafkaSettings(BaseSettings):
    """Where the brokers are, who we are to them, and how topics are sized."""

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
    topic_prefix: str = Field(
        "notistream",
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="First part of every topic name.",
    )
    topic_partitions: int | None = Field(
        None,
        ge=1,
        le=1000,
        description=(
            "Partitions of every topic, for example 4. Unset: what existing topics have, else 4."
        ),
    )
    topic_replication: int = Field(1, ge=1, le=5, description="Replicas of every topic.")

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _upper_kafka_words(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @cached_property
    def kafka(self) -> Kafka:
        """Where Kafka is, and how to speak to it; reads the files that are named.

        Raises:
            ValueError: the settings contradict each other, or a file cannot be used.
        """
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


def _revealed(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
