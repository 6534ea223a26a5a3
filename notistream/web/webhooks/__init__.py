"""HTTP of webhook endpoints."""
