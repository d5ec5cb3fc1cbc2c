"""Renders every page and mail of an installation and compares the figures that mean the same."""
