"""Simulated vendors on loopback that speak the real wire formats, for the demo and the tests."""
