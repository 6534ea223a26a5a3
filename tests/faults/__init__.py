"""The fault suite: real processes are broken on purpose, and an oracle counts what is lost."""
