"""Reads of what people decided about self-hosting, and of the hours that they entered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from costs.models import Decision, Effort, Justification, NoGo
from costs.readiness.ops_workload import WINDOW
from lib import sql
from providers.audit.log import Action, AuditEntry

SHOWN = 8  # past decisions
DIGEST = "SHA-256"  # as the audit log calls the digest of a record


def recent_efforts(now: datetime) -> list[Effort]:
    """Hours that count, the newest first."""
    since = now.astimezone(UTC).date() - WINDOW
    rows = Effort.objects.filter(day__gt=since, withdrawn_at=None).select_related("by")
    return list(rows.order_by("-day", "-pk")[:SHOWN])


def effort(pk: int) -> Effort:
    """Raises Http404."""
    return get_object_or_404(Effort, pk=pk)


def standing_no_go() -> NoGo | None:
    """The tick that nobody has withdrawn."""
    return NoGo.objects.standing().first()


def standing_switch(kind: str) -> Justification | None:
    """The switch of a kind, where it is on."""
    return Justification.objects.standing().filter(kind=kind).first()


def decision(number: int) -> Decision:
    """One record; raises Http404."""
    return get_object_or_404(Decision, number=number)


def decision_after(number: int) -> Decision | None:
    """The record that superseded one."""
    return Decision.objects.filter(number=number + 1).first()


def audited_digests() -> dict[str, str]:
    """The digests that the audit log has of signed decisions, by the key of the record."""
    added = AuditEntry.objects.filter(object_type=Decision._meta.label_lower, action=Action.ADDED)
    entries = added.values_list("object_id", "changes")
    return {pk: str(changes[DIGEST][1]) for pk, changes in entries if DIGEST in changes}


def latest_decisions(most: int) -> list[Decision]:
    """The newest first."""
    return list(Decision.objects.order_by("-number")[:most])


PAST = """
SELECT d.what, d.reason, coalesce(nullif(trim(concat(u.first_name, ' ', u.last_name)), ''), u.username) AS by,
       d.created_at, d.withdrawn_at
FROM (SELECT 'no_go' AS what, reason, by_id, created_at, withdrawn_at FROM costs_nogo
      UNION ALL SELECT kind, reason, by_id, created_at, withdrawn_at FROM costs_justification) AS d
LEFT JOIN auth_user AS u ON u.id = d.by_id
ORDER BY d.created_at DESC LIMIT %s
"""


def past_decisions() -> list[dict[str, Any]]:
    """What people decided, the newest first, withdrawn or not; in one statement."""
    words = {**dict(Justification.Kind.choices), "no_go": _("no-go")}
    return [{**row, "what": words[row["what"]]} for row in sql.mappings(PAST, (SHOWN,))]


def signed_decisions() -> list[Decision]:
    return list(Decision.objects.all()[:SHOWN])
