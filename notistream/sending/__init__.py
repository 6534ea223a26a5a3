"""Sending: accept, preview and change notifications on behalf of a tenant."""
