"""Writes of the Uptime pages."""

from __future__ import annotations

from providers.models import Outage


def save_notes(*, outage: Outage) -> None:
    """Store what a person wrote about an outage: its note, its public note and its post-mortem."""
    outage.save(update_fields=["note", "public_note", "post_mortem"])
