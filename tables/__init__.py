"""Windowed tables; none yet."""
