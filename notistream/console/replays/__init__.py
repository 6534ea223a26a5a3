"""Replays of a time range: preview, start, progress, stop, resume."""
