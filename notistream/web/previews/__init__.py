"""HTTP of previews: what would become of a notification."""
