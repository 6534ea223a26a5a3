"""HTTP of dead letters, for operators."""
