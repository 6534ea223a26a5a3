"""Recipients: contacts, opt-outs and erasure."""
