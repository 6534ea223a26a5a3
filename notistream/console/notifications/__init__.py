"""The search, one notification with its timeline, and what operators do to it."""
