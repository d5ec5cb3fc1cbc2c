"""How much is stored, and what could not be."""
