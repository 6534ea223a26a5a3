"""The checks of this process and its settings."""
