"""HTTP of notifications: create, list, change, preview."""
