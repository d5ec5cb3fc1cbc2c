"""Uptime: health checks, outages and maintenance windows."""
