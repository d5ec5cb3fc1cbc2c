"""Heartbeats: batch jobs that ping us, and what their silence means."""
