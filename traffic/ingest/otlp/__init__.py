"""OTLP/HTTP traces: spans of both encodings become rows, whoever emitted them."""
