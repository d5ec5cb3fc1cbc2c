"""What needed someone before: alerts that are over, by whatever the address asks for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alerts.inbox import reports
from alerts.kinds import KINDS
from alerts.models import Alert, Rule, Severity

SHOWN = 50
ASKED = ("kind", "severity", "rule", "answered", "q", "from", "to")


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Newest first, a page at a time; what the address asks for and we do not know is left out."""
    asked = asked_of(request)
    rows = Alert.objects.history().filter(matching(asked)).with_deliveries().order_by("-id")
    total = rows.count()
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 18:
        rows = rows.filter(id__lt=int(before))
    found = list(rows[: SHOWN + 1])
    context = {
        "alerts": found[:SHOWN],
        "asked": asked,
        "filtered": any(asked.values()),
        "from_day": asked["from"],
        "kinds": [
            (name, Rule.objects.named(name) if one.shipped else _("rules of our own")) for name, one in KINDS.items()
        ],
        "severities": Severity.choices,
        "rules": list(Rule.objects.not_deleted().filter(kind="figure").order_by("name")[:200]),
        "total": total,
        "shown": len(found[:SHOWN]),
        "first_url": address(asked) if before else None,
        "next_url": address(asked, before=str(found[SHOWN - 1].pk)) if len(found) > SHOWN else None,
        "pace": reports.pace(timezone.now() - timedelta(days=30)),
        "json_url": "/api/v1/alerts?state=resolved",
    }
    return render(request, "alerts/inbox/history.html", context)


def asked_of(request: HttpRequest) -> dict[str, str]:
    asked = {name: request.GET.get(name, "").strip()[:200] for name in ASKED}
    known = {"kind": set(KINDS), "severity": set(Severity.values), "answered": {"yes", "no"}}
    for name, values in known.items():
        asked[name] = asked[name] if asked[name] in values else ""
    for name in ("from", "to"):
        asked[name] = asked[name] if day_of(asked[name]) else ""
    return asked


def day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def matching(asked: dict[str, str]) -> Q:
    """Days are UTC, both ends included."""
    wanted = Q()
    for name, field in (("kind", "rule__kind"), ("severity", "severity"), ("rule", "rule__slug")):
        if asked[name]:
            wanted &= Q(**{field: asked[name]})
    if asked["answered"]:
        wanted &= Q(acknowledged_at__isnull=asked["answered"] == "no")
    if asked["q"]:
        wanted &= Q(title__icontains=asked["q"]) | Q(subject__icontains=asked["q"])
    if first := day_of(asked["from"]):
        wanted &= Q(opened_at__gte=datetime.combine(first, time(), UTC))
    if (last := day_of(asked["to"])) and last < date.max:
        wanted &= Q(opened_at__lt=datetime.combine(last + timedelta(days=1), time(), UTC))
    return wanted


def address(asked: dict[str, str], **more: str) -> str:
    return "?" + urlencode({name: value for name, value in {**asked, **more}.items() if value})
