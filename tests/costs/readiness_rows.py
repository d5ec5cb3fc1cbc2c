"""Ratings of a task on both sides."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from django.utils import timezone

from providers.models import Deployment
from traffic.models import Rating


def rated(deployment: Deployment | None, ratings: int, acceptable: int, days_ago: int = 0, **given: Any) -> None:
    day = timezone.now().astimezone(UTC).date() - timedelta(days=days_ago)
    Rating.objects.bulk_create(
        Rating(day=day, by=f"p{n}", response_id=f"{deployment}{days_ago}{n}", score=1 if n < acceptable else -1,
               deployment=deployment, **{"model": "mistral", "task": "rag", **given})
        for n in range(ratings)
    )  # fmt: skip
