"""HTTP callbacks of vendors."""
