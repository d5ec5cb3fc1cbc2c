"""Trials: a candidate and a baseline answer one prompt set at stated concurrencies, within a cap."""
