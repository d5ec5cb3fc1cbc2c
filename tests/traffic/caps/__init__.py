"""Caps of keys and applications."""
