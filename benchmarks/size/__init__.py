"""The database at size: what lists, counts and plans cost with a million rows or ten."""
