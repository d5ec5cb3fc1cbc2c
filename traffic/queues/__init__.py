"""Queues: sets of answers that people are asked to rate, drawn once and shared out without collisions."""
