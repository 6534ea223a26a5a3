"""The laws of the repository, checked by `make lint`: each is a function that yields faults."""
