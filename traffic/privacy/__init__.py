"""What of rows is kept, and for how long: erasure and retention."""
