"""HTTP of probes and figures."""
