"""Charts of an alert: its points, and the picture of them in a mail."""
