"""`make bench`: what the product does per second and what it costs, each figure beside its bare limit in one run."""
