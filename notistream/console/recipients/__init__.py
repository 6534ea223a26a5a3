"""Recipients: masked contacts, preferences, suppressions, erasure."""
