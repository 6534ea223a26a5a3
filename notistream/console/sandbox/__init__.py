"""Messages that test keys sent, as their recipients would have seen them."""
