"""Pages of the costs, one module a page."""
