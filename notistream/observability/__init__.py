"""Observability: metrics, logs and traces of a process."""
