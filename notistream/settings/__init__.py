"""Settings: everything that can be set from outside, read once."""
