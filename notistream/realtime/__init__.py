"""Real time: inboxes, status streams, and what feeds them in this process."""
