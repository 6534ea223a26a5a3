"""Delivery: lanes decide when a notification's turn comes, the pipeline decides what happens then."""
