"""HTTP of replays of a time range, for operators."""
