"""What one evaluation reads of the other apps, each figure once."""
