"""HTTP of batches, and of one message to many recipients."""
