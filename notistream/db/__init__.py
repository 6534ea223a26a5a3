"""PostgreSQL: statements live in `sql/*.sql`, and one typed function here runs each of them."""
