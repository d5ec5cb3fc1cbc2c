"""Static files: collected, compressed, found."""
