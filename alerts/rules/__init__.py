"""Rules: their forms, sentences, thresholds and preview."""
