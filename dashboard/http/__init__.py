"""What every request and answer passes: middleware, headers, context, error pages."""
