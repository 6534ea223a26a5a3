"""The embedded Kafka and PostgreSQL of `make run` and of the tests: real servers from packages."""
