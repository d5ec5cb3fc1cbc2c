"""Spend: what was spent, from where it is known, by whatever one asks."""
