"""Templates: the starter files of the product, and the library of each tenant above them."""
