"""The ledger: one line for each cost of a provider in one UTC day."""
