"""Recording: what became of each delivery, its upkeep, the audit that nothing is lost, retention."""
