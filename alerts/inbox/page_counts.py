"""How often our own deployments called someone, counted where `costs` reads it: go or no-go weighs it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from alerts.models import Alert
from alerts.models.deliveries import DeliveryState
from costs.readiness import ops_workload
from providers.models import Deployment

DAYS = timedelta(days=31)


def count_pages(now: datetime) -> int:
    """Alerts about our own deployments that reached someone, by the UTC day that they opened; returns how many."""
    own = Deployment.objects.filter(provider=ops_workload.OWN).values_list("slug", flat=True)
    subjects = [f"deployment:{slug}" for slug in own]
    since = (now - DAYS).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    called = Alert.objects.filter(
        subject__in=subjects, opened_at__gte=since, deliveries__state=DeliveryState.ACCEPTED
    ).distinct()
    counted = Counter(opened.astimezone(UTC).date() for opened in called.values_list("opened_at", flat=True) if opened)
    days = [since.date() + timedelta(days=n) for n in range((now.astimezone(UTC).date() - since.date()).days + 1)]
    ops_workload.save_pages({day: counted[day] for day in days})
    return sum(counted.values())
