"""Bills of other vendors as FOCUS files."""
