"""HTTP of preferences."""
