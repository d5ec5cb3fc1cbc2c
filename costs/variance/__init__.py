"""Variance: what changed between two periods, as a price-volume-mix bridge."""
