"""Kafka: the connection, the topics, the records of each kind, positions, and Faust's transport."""
