"""Routes: which deployment answers which request."""
