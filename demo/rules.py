"""What the demo company's people made by sentence, and maintenance they plan; what a person changed is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model

from alerts.metrics.scopes import Scope
from alerts.metrics.watch import OVER, Watch
from alerts.metrics.windows import Window
from alerts.models import Rule, Severity, Silence

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
        "Slow first token: Website chat",
        Watch("ttft-p95", Window.HOUR, Scope((("application", "site-chat"),)), OVER, Decimal(1500)),
        2 * HOUR_S,
        Severity.WARNING,
        ("ops",),
    ),
)


def maintenance(now: datetime) -> None:
    """The move that the company plans for a Sunday night ahead, once."""
    sunday = now.date() + timedelta(days=13 - now.weekday())
    starts_at = datetime.combine(sunday, time(2), UTC)
    saturday = datetime.combine(now.date() - timedelta(days=now.weekday() + 2), time(22), ZoneInfo("Europe/Berlin"))
    Silence.objects.get_or_create(
        reason="Rebuild of the knowledge base index",
        defaults={
            "kind": "latency",
            "labels": {"deployment": "mistral-7b"},
            "starts_at": saturday,
            "until": saturday + timedelta(hours=2),
            "repeats": "week",
            "zone": "Europe/Berlin",
            "by": get_user_model().objects.filter(groups__name="ops").order_by("pk").first(),
        },
    )
    Silence.objects.get_or_create(
        reason="RunPod moves our machine to another rack",
        defaults={
            "labels": {"provider": "runpod"},
            "starts_at": starts_at,
            "until": starts_at + timedelta(hours=4),
            "by": get_user_model().objects.filter(groups__name="ops").order_by("pk").first(),
        },
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
