"""What every installation starts with: one rule of each kind, on, so that nobody needs to configure to be safe."""

from __future__ import annotations

from alerts.kinds import KINDS
from alerts.models import Rule

NAMES = {
    "budget": "Phase budget",
    "budget-forecast": "Forecast over budget",
    "burn-rate": "Budget burning too fast",
    "stage": "Stage ended or over",
    "phase": "Phase left",
    "break-even": "Break-even passed",
    "outage": "Deployment down",
    "latency": "Deployment slow",
    "error-rate": "Requests fail",
    "quality": "Quality drop",
    "anomaly": "Not as usual",
    "heartbeat": "Batch job missed",
    "unpriced": "Model without a price",
    "price": "Price changed",
    "retiring": "Model retiring",
    "balance": "Prepaid balance low",
    "spend-cap": "Vendor’s limit reached",
    "lease": "Lease idle or stopped",
    "offer": "Offer below a price",
    "bill-gap": "Bill over tolerance",
    "system": "Mail refused",
    "system-disk": "Disk nearly full",
    "system-restarts": "Process restarted",
    "system-retention": "Days about to go",
    "system-key": "Key expires",
    "system-certificate": "Certificate expires",
    "late-ingest": "Application silent",
    "late-export": "Export fails",
    "late": "Poll or evaluation late",
}


def ensure_defaults() -> None:
    """Add the rules that are missing; one that a person changed or switched off stays as it is."""
    there = set(Rule.objects.values_list("slug", flat=True))
    missing = [rule_of(name) for name, kind in KINDS.items() if kind.shipped and name not in there]
    Rule.objects.bulk_create(missing, ignore_conflicts=True)


def rule_of(name: str) -> Rule:
    kind = KINDS[name]
    return Rule(
        slug=name,
        kind=name,
        name=NAMES[name],
        severity=kind.severity,
        for_s=kind.for_s,
        clear_for_s=kind.clear_for_s,
        escalate_s=kind.escalate_s,
        thresholds={key: threshold.default for key, threshold in kind.thresholds.items()},
    )
