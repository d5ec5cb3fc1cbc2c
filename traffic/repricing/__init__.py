"""Prices as pages, and stored requests costed anew."""
