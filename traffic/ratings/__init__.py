"""Ratings of answers: as they come in, the queue of answers to rate, and those that wait for their request."""
