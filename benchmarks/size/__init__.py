"""The database at size: rows made in SQL, and what lists, counts and plans cost with a million of them or ten."""
