"""HTTP of templates."""
