"""Publishing: the relay takes outbox entries to Kafka; windows bound what a lane holds there."""
