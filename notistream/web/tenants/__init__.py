"""HTTP of tenants and their keys, for operators."""
