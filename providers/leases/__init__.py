"""Leases: machines that we rent, their cost and how they are stopped."""
