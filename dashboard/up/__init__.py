"""`manage.py up`: everything that Breakeven needs, on one machine, in one terminal.

It runs without Django: it stays in memory beside all it starts, and settings cannot be read before it has made them.
"""

from __future__ import annotations

from dashboard.up.command import main

__all__ = ["main"]
