"""Unit economics: what one request, answer, user or incident costs."""
