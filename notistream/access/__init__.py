"""Access: tenants and their keys, operators and their sessions, limits on requests."""
