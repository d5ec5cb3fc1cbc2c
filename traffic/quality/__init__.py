"""Quality: the scoreboard of ratings, by deployment, model and task."""
