"""Statements: what a month cost each application or owner."""
