"""The size of the stored data, and calls that could not be stored."""
