"""Sizing: how much memory a model needs, which GPUs hold it, recipes."""
