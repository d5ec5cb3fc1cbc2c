"""Entered charges: single ones, recurring ones, corrections, receipts, exchange rates."""
