"""Webhooks: endpoints of tenants, and the sender that tells them of events."""
