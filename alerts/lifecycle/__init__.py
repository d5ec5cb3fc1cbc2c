"""The life of an alert as pure functions: its states, and what a silence matches."""
