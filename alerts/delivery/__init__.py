"""Delivery: outbox, grouping, rate limit, quiet hours, mail over SMTP."""
