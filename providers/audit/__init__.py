"""The audit log: who did what, chained so that tampering shows."""
