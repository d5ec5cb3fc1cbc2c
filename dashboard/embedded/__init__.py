"""PostgreSQL and Valkey from Python packages, for machines without these servers."""
