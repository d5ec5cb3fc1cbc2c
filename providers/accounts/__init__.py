"""Accounts at vendors: their settings, how fresh their answers are, what they report."""
