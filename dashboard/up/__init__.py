"""`manage.py up`: starts everything that Breakeven needs on one machine, from one terminal.

It does not import Django: that would cost memory as long as it runs, and the settings need values that it makes first.
"""

from __future__ import annotations

from dashboard.up.command import main

__all__ = ["main"]
