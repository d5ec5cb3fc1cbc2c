"""Every change of the plan as one step: what was before, what is after, who did it, and the way back.

The plan is small (some dozen rows), so a step keeps all of it as it was; the way back is open until someone changes
the plan again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core import serializers
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _

from costs.models import Budget, Phase, Stage
from costs.plan.forms import BudgetForm, PhaseForm, StageForm
from lib.formats import ago
from providers.audit import log as audit_log
from providers.audit.log import Action, AuditEntry, Changes

PLANNED: tuple[type[Phase] | type[Stage] | type[Budget], ...] = (Phase, Stage, Budget)
LABELS: dict[str, dict[str, Any]] = {
    "costs.phase": PhaseForm.Meta.labels,
    "costs.stage": StageForm.Meta.labels,
    "costs.budget": BudgetForm.Meta.labels,
}
UNDO_KEY = "plan_undo"
SHOWN = 20

Rows = dict[tuple[str, int], dict[str, Any]]  # (model, pk) -> fields as JSON has them


def snapshot() -> str:
    """Return the whole plan as text; equal plans give equal text."""
    rows: list[models.Model] = []
    for model in PLANNED:
        rows += model._default_manager.order_by("pk")
    return str(serializers.serialize("json", rows))


@contextmanager
def step(request: HttpRequest) -> Iterator[None]:
    """Treat what happens inside as one change: log it row by row and store how to undo it."""
    with transaction.atomic():
        before = snapshot()
        yield
        after = snapshot()
        log_difference(request, before, after)
    if before != after:
        request.session[UNDO_KEY] = {"before": before, "after": after}


def undo(request: HttpRequest) -> bool:
    """Bring the plan back to where it was before this person's last step; False once it has changed since."""
    snapshots = request.session.pop(UNDO_KEY, None)
    if snapshots is None:
        return False
    with transaction.atomic():
        if snapshot() != snapshots["after"]:
            return False
        restore(snapshots["before"])
        log_difference(request, snapshots["after"], snapshots["before"])
    return True


def restore(text: str) -> None:
    """Replace the plan by a snapshot, keeping its primary keys."""
    wanted = list(serializers.deserialize("json", text))
    for model in PLANNED:
        keep = [row.object.pk for row in wanted if isinstance(row.object, model)]
        model._default_manager.exclude(pk__in=keep).delete()
    for row in wanted:
        row.save()


def rows_of(text: str) -> Rows:
    return {(row["model"], row["pk"]): row["fields"] for row in json.loads(text)}


def log_difference(request: HttpRequest, before: str, after: str) -> None:
    """One entry of the audit log for each row that came, went or changed, with the values."""
    old, new = rows_of(before), rows_of(after)
    for key in old | new:
        if old.get(key) == new.get(key):
            continue
        audit_log.record(
            Action.CHANGED if key in old and key in new else Action.ADDED if key in new else Action.DELETED,
            actor=audit_log.person(request),
            object_type=key[0],
            object_id=key[1],
            object_name=(new.get(key) or old[key])["name"],
            changes=differences(key[0], old.get(key, {}), new.get(key, {})),
        )


def differences(model: str, old: dict[str, Any], new: dict[str, Any]) -> Changes:
    """Before and after of each field that differs, by its label: `Budget a month, high, USD` from 400.00 to 500.00."""
    labels = LABELS[model]
    before = {str(labels[name]): old[name] for name in old if name in labels}
    after = {str(labels[name]): new[name] for name in new if name in labels}
    return audit_log.difference(before, after)


# --- what the page shows of it -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the history: `values` are label, before, after."""

    at: datetime
    by: str
    what: str
    name: str
    word: str
    values: list[tuple[str, str, str]]
    message: str  # in words, where there are no values


def headline(changes: Sequence[Change]) -> str:
    """Who changed the plan last; the newest change stands first."""
    if not changes:
        return _("No changes of the plan yet")
    return format_html(_("{who} changed the plan last, {when}"), who=changes[0].by, when=ago(changes[0].at))


def history(most: int = SHOWN) -> list[Change]:
    """The latest changes of the plan, newest first."""
    kinds = {model._meta.label_lower: str(model._meta.model_name) for model in PLANNED}
    names = {"phase": _("phase"), "stage": _("stage"), "budget": _("budget")}
    words = {Action.ADDED: _("added"), Action.CHANGED: _("changed"), Action.DELETED: _("removed")}
    entries = list(AuditEntry.objects.filter(object_type__in=kinds, action__in=words)[:most])
    people = {entry.actor_id for entry in entries if entry.actor_id}
    full = {row.pk: row.get_full_name() for row in get_user_model().objects.filter(pk__in=people)}
    return [
        Change(
            at=entry.at,
            by=full.get(entry.actor_id or 0) or entry.actor,
            what=names[kinds[entry.object_type]],
            name=entry.object_name,
            word=words[Action(entry.action)],
            values=[(label, *map(_shown, values)) for label, values in entry.changes.items()],
            message=entry.message,
        )
        for entry in entries
    ]


def _shown(value: Any) -> str:
    return "–" if value in (None, "") else str(value)
