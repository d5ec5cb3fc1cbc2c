"""Deployments: endpoints that serve a model, and what their engines report."""
