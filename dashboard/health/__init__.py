"""Endpoints for machines: liveness, readiness, metrics."""
