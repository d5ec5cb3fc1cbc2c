"""Reads of the ledger as a whole."""

from __future__ import annotations

from datetime import date

from lib import sql

# `least` leaves out what is NULL: a table without rows.
FIRST_DAY = "SELECT least((SELECT min(day) FROM traffic_usage_day), (SELECT min(day) FROM costs_charge), %s)"


def first_known_day(today: date) -> date:
    """Of usage or charges, in one statement that reads the end of an index of each."""
    first: date = sql.rows(FIRST_DAY, (today,))[0][0]
    return first
