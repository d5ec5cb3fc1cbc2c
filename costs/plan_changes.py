"""Every change of the plan as one step: what was before, what is after, who did it, and the way back.

The plan is small (some dozen rows), so a step keeps all of it as it was; the way back is open until someone changes
the plan again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from costs.forms_plan import BudgetForm, PhaseForm, StageForm
from costs.models import Budget, Phase, Stage

PLANNED: tuple[type[Phase] | type[Stage] | type[Budget], ...] = (Phase, Stage, Budget)
LABELS: dict[str, dict[str, Any]] = {
    "costs.phase": PhaseForm.Meta.labels,
    "costs.stage": StageForm.Meta.labels,
    "costs.budget": BudgetForm.Meta.labels,
}
UNDO_KEY = "plan_undo"
ARROW = " → "
SHOWN = 20

Rows = dict[tuple[str, int], dict[str, Any]]  # (model, pk) -> fields as JSON has them


def snapshot() -> str:
    """The whole plan as text; the same plan is the same text."""
    rows: list[models.Model] = []
    for model in PLANNED:
        rows += model._default_manager.order_by("pk")
    return str(serializers.serialize("json", rows))


@contextmanager
def step(request: HttpRequest) -> Iterator[None]:
    """What happens inside is one change: logged row by row with before and after, and kept for the way back."""
    with transaction.atomic():
        before = snapshot()
        yield
        after = snapshot()
        log_difference(request, before, after)
    if before != after:
        request.session[UNDO_KEY] = {"before": before, "after": after}


def undo(request: HttpRequest) -> bool:
    """Bring the plan back to where it was before this person's last step; False once it has changed since."""
    kept = request.session.pop(UNDO_KEY, None)
    if kept is None:
        return False
    with transaction.atomic():
        if snapshot() != kept["after"]:
            return False
        restore(kept["before"])
        log_difference(request, kept["after"], kept["before"])
    return True


def restore(text: str) -> None:
    """Make the plan what a snapshot says, under the same keys."""
    wanted = list(serializers.deserialize("json", text))
    for model in PLANNED:
        keep = [one.object.pk for one in wanted if isinstance(one.object, model)]
        model._default_manager.exclude(pk__in=keep).delete()
    for one in wanted:
        one.save()


def rows_of(text: str) -> Rows:
    return {(row["model"], row["pk"]): row["fields"] for row in json.loads(text)}


def log_difference(request: HttpRequest, before: str, after: str) -> None:
    """One entry of the audit log for each row that came, went or changed, with the values."""
    old, new = rows_of(before), rows_of(after)
    for key in old | new:
        if old.get(key) == new.get(key):
            continue
        flag = CHANGE if key in old and key in new else ADDITION if key in new else DELETION
        fields = differences(key[0], old.get(key, {}), new.get(key, {}))
        word = {CHANGE: "changed", ADDITION: "added", DELETION: "deleted"}[flag]
        _enter(request, key, (new.get(key) or old[key])["name"], flag, [{word: {"fields": fields}}])


def differences(model: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """`Budget a month, high, USD: 400.00 → 500.00`, a line for each field that differs."""
    labels = LABELS[model]
    names = [name for name in old | new if name in labels and _shown(old.get(name)) != _shown(new.get(name))]
    return [f"{labels[name]}: {_shown(old.get(name))}{ARROW}{_shown(new.get(name))}" for name in names]


def _shown(value: Any) -> str:
    return "–" if value in (None, "") else str(value)


def _enter(request: HttpRequest, key: tuple[str, int], name: str, flag: int, message: list[Any]) -> None:
    assert request.user.pk is not None, "only people who are logged in change the plan"
    LogEntry.objects.create(
        user_id=request.user.pk,
        content_type=ContentType.objects.get_by_natural_key(*key[0].split(".")),
        object_id=str(key[1]),
        object_repr=name[:200],
        action_flag=flag,
        change_message=json.dumps(message),
    )


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
    said: str  # in words, where there are no values


def history(most: int = SHOWN) -> list[Change]:
    """The latest changes of the plan, newest first."""
    kinds = {ContentType.objects.get_for_model(model).pk: str(model._meta.model_name) for model in PLANNED}
    names = {"phase": _("phase"), "stage": _("stage"), "budget": _("budget")}
    words = {ADDITION: _("added"), CHANGE: _("changed"), DELETION: _("removed")}
    entries = LogEntry.objects.filter(content_type_id__in=kinds).select_related("user").order_by("-action_time", "-pk")
    found = []
    for entry in entries[:most]:
        values = values_of(entry)
        found.append(
            Change(
                at=entry.action_time,
                by=entry.user.get_full_name() or entry.user.get_username(),
                what=names[kinds[entry.content_type_id or 0]],
                name=entry.object_repr,
                word=words[entry.action_flag],
                values=values,
                said="" if values else str(entry.get_change_message()),
            )
        )
    return found


def values_of(entry: LogEntry) -> list[tuple[str, str, str]]:
    """Label, before and after of each value that an entry names."""
    try:
        message = json.loads(entry.change_message)
        fields = [field for part in message for change in part.values() for field in change.get("fields", ())]
    except (ValueError, AttributeError):  # a sentence, or of another making
        return []
    split = [(*field.partition(": ")[::2],) for field in fields if ARROW in field]
    return [(label, *rest.split(ARROW, 1)) for label, rest in split]
