"""Pages of the providers, one module a page."""
