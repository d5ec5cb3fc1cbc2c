"""One verdict for one question."""
