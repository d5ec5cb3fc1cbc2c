"""Polling: which feeds are due, one poll with its bookkeeping, and storing what came back."""
