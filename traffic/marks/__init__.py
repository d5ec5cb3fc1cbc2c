"""Automatic marks on requests, from their stored texts: what is odd about an answer, never how good it is."""
