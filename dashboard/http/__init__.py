"""Middleware, headers, template context and error pages of every request."""
