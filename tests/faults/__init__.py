"""The fault suite: every promise broken on purpose, with real processes and an oracle that counts."""
