"""The rules that the demo company's people made by sentence; one that a person changed or deleted is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from alerts.models import Rule, Severity
from alerts.named.scopes import Scope
from alerts.named.watch import OVER, Watch
from alerts.named.windows import Window

HOUR_S = 3600


@dataclass(frozen=True)
class Made:
    slug: str
    name: str
    watch: Watch
    for_s: int
    severity: str
    groups: tuple[str, ...]


RULES = (
    Made(
        "support-assistant-spend",
        "Support assistant’s daily spend",
        Watch("spend", Window.TODAY, Scope((("application", "support-rag"),)), OVER, Decimal("4.75")),
        HOUR_S,
        Severity.WARNING,
        ("ops", "manager"),
    ),
    Made(
        "website-chat-first-token",
        "Website chat is slow to begin",
        Watch("ttft-p95", Window.HOUR, Scope((("application", "site-chat"),)), OVER, Decimal(1500)),
        2 * HOUR_S,
        Severity.WARNING,
        ("ops",),
    ),
)


def rules() -> None:
    """Both, once."""
    for made in RULES:
        Rule.objects.get_or_create(
            slug=made.slug,
            defaults={
                "kind": "figure",
                "name": made.name,
                "thresholds": made.watch.json,
                "for_s": made.for_s,
                "clear_for_s": HOUR_S,
                "severity": made.severity,
                "groups": list(made.groups),
            },
        )
