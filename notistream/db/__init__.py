"""PostgreSQL: SQL lives in `sql/*.sql`, each query reached through one typed function of this package."""
