"""Usage from the rollups: reports, models in use, silent applications, rebuilds."""
