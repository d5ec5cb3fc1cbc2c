"""Quality: ratings, their queue and the scoreboard."""
