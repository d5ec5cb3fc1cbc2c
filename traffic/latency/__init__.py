"""Latency: how fast answers are and how often they fail."""
