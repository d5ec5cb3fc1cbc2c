"""Go or no-go: the scorecard, its inputs, the ops workload, decisions."""
