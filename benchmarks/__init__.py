"""`make bench`: throughput and cost of the product, each figure beside its bare limit in a run."""
