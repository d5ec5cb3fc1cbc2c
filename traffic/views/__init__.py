"""Pages of traffic, by noun."""
