"""What differs from an application's own history, and what drives it: one finding for each cause."""

from __future__ import annotations

from costs.anomalies.services import dismiss, look, look_back, purge, restore

__all__ = ["dismiss", "look", "look_back", "purge", "restore"]
