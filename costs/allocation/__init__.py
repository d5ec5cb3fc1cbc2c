"""Who used what was paid for: every charge divided among applications, tasks, models and deployments."""
