"""The audit log's page, files and commands."""
