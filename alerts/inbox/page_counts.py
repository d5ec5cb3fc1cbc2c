"""How often our own deployments called someone, counted where `costs` reads it: go or no-go weighs it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from alerts.models import Alert
from alerts.models.deliveries import DeliveryState
from costs.readiness import ops_workload
from providers.models import Deployment

DAYS = timedelta(days=31)


def count_pages(now: datetime) -> int:
    """Alerts about our own deployments and their machines that reached someone, by the UTC day that they opened;
    returns how many. Reached is what Alerts counts as delivered: a message that was accepted, or is part of one."""
    own = list(Deployment.objects.filter(provider=ops_workload.OWN).select_related("lease__account"))
    about = Q(labels__deployment__in=[row.slug for row in own])
    about |= Q(subject__in=[f"deployment:{row.slug}" for row in own])
    leases = {row.lease.pk: row.lease for row in own if row.lease}.values()
    about |= Q(subject__in=[f"lease:{lease.account.slug}/{lease.external_id}"[:200] for lease in leases])
    since = (now - DAYS).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    reached = Q(deliveries__state=DeliveryState.ACCEPTED)
    reached |= Q(deliveries__folded_into__state=DeliveryState.ACCEPTED)
    called = Alert.objects.filter(about, reached, opened_at__gte=since).distinct()
    counted = Counter(opened.astimezone(UTC).date() for opened in called.values_list("opened_at", flat=True) if opened)
    days = [since.date() + timedelta(days=n) for n in range((now.astimezone(UTC).date() - since.date()).days + 1)]
    ops_workload.save_pages({day: counted[day] for day in days})
    return sum(counted.values())
