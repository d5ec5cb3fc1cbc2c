"""Removing an account with what it brought: what goes, month by month, and the way back for a day."""
