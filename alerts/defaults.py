"""What every installation starts with: one rule of each kind, on, so that nobody needs to configure to be safe."""

from __future__ import annotations

from alerts.kinds import KINDS
from alerts.models import Rule


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
        name=kind.name,
        severity=kind.severity,
        for_s=kind.for_s,
        clear_for_s=kind.clear_for_s,
        escalate_s=kind.escalate_s,
        thresholds={key: threshold.default for key, threshold in kind.thresholds.items()},
    )
