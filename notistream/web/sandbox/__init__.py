"""HTTP of the sandbox."""
