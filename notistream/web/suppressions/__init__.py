"""HTTP of suppressions, and the unsubscribe pages."""
