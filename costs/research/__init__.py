"""The research note: reference sheets, figures, scenarios."""
