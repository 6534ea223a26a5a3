"""Tenants, their API keys, and how a form names a tenant."""
