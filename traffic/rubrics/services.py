"""Rubrics are saved in versions, and retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from traffic.models import Rubric

LOCK = 7_203_051  # advisory: one version is made at a time


@transaction.atomic
def save(
    *,
    name: str,
    task: str,
    criteria: Sequence[Mapping[str, Any]],
    by: AbstractBaseUser | AnonymousUser | None = None,
    replaces: Rubric | None = None,
) -> Rubric:
    """Make the next version of a rubric, current from now on; ratings keep the version that they were made with.

    Raises ValueError with a sentence where another current rubric has the name or the task.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if replaces is not None:
        retire(replaces)
    current = Rubric.objects.current()
    if current.filter(name=name).exists():
        raise ValueError(_("Another rubric has this name."))
    if task and (other := current.filter(task=task).first()):
        raise ValueError(_("Answers of this task are rated by “%(name)s”.") % {"name": other.name})
    last = Rubric.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
    return Rubric.objects.create(
        name=name, version=last + 1, task=task, criteria=list(criteria), by_id=by.pk if by else None
    )


def retire(rubric: Rubric) -> None:
    """Take a version out of use. Its ratings stay, and one that is being made by it is still accepted."""
    Rubric.objects.current().filter(pk=rubric.pk).update(retired_at=timezone.now())


@transaction.atomic
def restore(rubric: Rubric) -> Rubric:
    """Bring a deleted version back as it was. Raises ValueError as `save`."""
    return save(name=rubric.name, task=rubric.task, criteria=rubric.criteria, by=rubric.by)
