"""Blind comparisons: two deployments' answers to the same prompt, which of them raters choose, and what follows."""
