"""The operator console: server-rendered pages at /console, for whoever is signed in there."""
