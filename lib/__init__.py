"""What every app uses and what knows none of them: a folder of named things."""
