"""The overview: what needs attention, what was delivered, what waits; pauses are set here."""
