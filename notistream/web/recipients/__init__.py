"""HTTP of recipients and their device tokens."""
