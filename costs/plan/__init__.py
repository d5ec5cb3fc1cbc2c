"""The plan: phases, budgets, forecast."""
