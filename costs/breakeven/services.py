"""Writes of the Break-even page: the API model that stands for a task."""

from __future__ import annotations

import logging
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from costs.models import TaskModel
from lib.events import log_event
from providers.audit.log import log

logger = logging.getLogger(__name__)


@transaction.atomic
def choose_model(
    request: HttpRequest, task: str, provider: str, model: str, *, by: AbstractBaseUser, now: datetime
) -> None:
    """Let a model of a provider stand for a task, in place of the one that the log names."""
    before = TaskModel.objects.select_for_update().filter(task=task).first()
    values = {"provider": provider, "model": model, "by_id": by.pk, "chosen_at": now}
    chosen, added = TaskModel.objects.update_or_create(task=task, defaults=values)
    log(request, chosen, added=added, changes={"API model": [before.model if before else None, model]})
    log_event(logger, logging.INFO, "task_model_chosen", task=task, model=model)


@transaction.atomic
def follow_log(request: HttpRequest, task: str) -> bool:
    """Give a task back the model that the log names; whether a person had chosen one."""
    chosen = TaskModel.objects.select_for_update().filter(task=task).first()
    if chosen is None:
        return False
    log(request, chosen, deleted=True, changes={"API model": [chosen.model, None]})
    chosen.delete()
    log_event(logger, logging.INFO, "task_model_from_log", task=task)
    return True
