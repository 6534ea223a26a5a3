"""The HTTP server: middleware, request bodies, problems, and what a row of the route table is."""
