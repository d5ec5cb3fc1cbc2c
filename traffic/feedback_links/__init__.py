"""Public links with which one answer is judged once, without a login."""
