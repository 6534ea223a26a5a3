"""Delivery: lanes decide when a notification's turn comes, the pipeline what happens then."""
