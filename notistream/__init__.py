"""NotiStream: a multi-channel notification service on Faust, Kafka and PostgreSQL."""

__version__ = "0.2.0"
