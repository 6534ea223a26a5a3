"""HTTP and WebSockets of inboxes and status updates."""
