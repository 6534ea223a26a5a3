"""Recording: what became of each delivery; upkeep, retention, and the audit of what waits."""
