"""Reconciliation: bills against our own figures, causes of differences, month close."""
