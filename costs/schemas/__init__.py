"""Shapes of costs' answers in the JSON API."""
