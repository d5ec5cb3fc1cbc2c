"""Applications and their API keys: who may call, and how often."""
