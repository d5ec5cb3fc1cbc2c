"""Settings of applications and of their API keys."""
