"""Dead letters: why deliveries failed, and their replay or deletion."""
