"""Measurements of speed, each against a reference taken in the same run, so that a slow machine slows both.

`manage.py bench NAME` starts a stack of its own in a temporary folder, measures over loopback and stops it again.
"""
