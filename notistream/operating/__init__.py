"""Operating: what operators see of an installation, and how they pause parts of it."""
