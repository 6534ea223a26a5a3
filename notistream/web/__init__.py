"""HTTP: thin handlers over the services.

`routes.ROUTES` is the one table that serves and documents them.
"""
