"""Providers: what sends a rendered message, and the guard around every call."""
