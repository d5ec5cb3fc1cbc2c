"""The request log: its filters, its list, one request, exports and full-text search."""
