"""Caps: limits of calls, tokens or USD that are never passed."""
