"""Use cases with more than one effect: accept, publish, deliver, repair."""
