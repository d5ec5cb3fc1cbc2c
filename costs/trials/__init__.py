"""The report of a trial: its curve, what its tokens cost, and the four criteria with the trial's own evidence."""
