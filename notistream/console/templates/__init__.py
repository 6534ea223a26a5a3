"""Templates: the list, the editor with its preview, versions and their differences."""
