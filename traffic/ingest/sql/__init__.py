"""The statements of ingest, composed once at import from lists of columns."""
