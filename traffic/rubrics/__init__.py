"""Rubrics: the criteria by which answers are rated, their versions, and what ratings by them add up to."""
