"""Digests and monthly statements by mail."""
