"""Who calls: keys, their limits, and what a key or a person may ask for."""
