"""Trials are made, stopped, and their answers paired."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lib import sql
from lib.events import log_event
from providers.models import Deployment
from traffic.comparisons.services import add_pair, erase_words
from traffic.models import Application, Trial, TrialCall, TrialPrompt
from traffic.models.applications import TRIALS
from traffic.models.trials import CallState, PromptSource, TrialState
from traffic.request_ids import day_of
from traffic.trials.prompts import MOST_PROMPTS, Prompt, PromptFile
from traffic.trials.queries import cut_prompts

logger = logging.getLogger(__name__)

SELF = "self"
MOST_STEPS, MOST_CONCURRENCY, MOST_SECONDS = 10, 256, 600
MOST_ANSWER_TOKENS = 8_192
ANSWER_TOKENS = 200
MOST_CAP = Decimal(10_000)  # USD


@dataclass
class Plan:
    """What a trial is to do."""

    name: str
    candidate: Deployment
    baseline: Deployment | None
    concurrency: Sequence[int]
    seconds_per_step: int
    cap_usd: Decimal
    answer_tokens: int = ANSWER_TOKENS
    source: PromptSource = PromptSource.BUILTIN
    source_name: str = ""
    prompts: Sequence[Prompt] = ()
    file: PromptFile | None = None  # of which the prompts are
    used_in_break_even: bool = True

    def check(self) -> list[tuple[str, str]]:
        """What is wrong with it: fields and sentences."""
        errors = []
        if self.baseline is not None and self.baseline.pk == self.candidate.pk:
            errors.append(("baseline", _("Choose another deployment than the candidate.")))
        for name, deployment in (("candidate", self.candidate), ("baseline", self.baseline)):
            if deployment is not None and not deployment.enabled:
                errors.append((name, _("%(name)s is disabled.") % {"name": deployment.name}))
        if not 1 <= len(self.concurrency) <= MOST_STEPS or not all(
            1 <= number <= MOST_CONCURRENCY for number in self.concurrency
        ):
            text = _("Enter 1 to %(steps)s numbers from 1 to %(most)s.")
            errors.append(("concurrency", text % {"steps": MOST_STEPS, "most": MOST_CONCURRENCY}))
        if not self.prompts:
            errors.append(("prompts", _("There is no prompt to send.")))
        if goes_to_vendor(self.candidate, self.baseline) and any(prompt.own_machines for prompt in self.prompts):
            errors.append(("prompts", _("Some prompts may be of private calls, which must not go to a vendor.")))
        if len(self.prompts) > MOST_PROMPTS:
            errors.append(("prompts", _("A trial takes %(most)s prompts at most.") % {"most": f"{MOST_PROMPTS:,}"}))
        return errors


def goes_to_vendor(*sides: Deployment | None) -> bool:
    return any(side is not None and side.provider != SELF for side in sides)


def application() -> Application:
    """The application of all trials. Its requests never count in Break-even, and its texts are stored for raters."""
    return Application.objects.own(TRIALS, name=_("Trials"), capture_bodies=True)[0]


@transaction.atomic
def create(plan: Plan, *, by: Any = None, audit: Callable[[Trial], object] | None = None) -> Trial:
    """A queued trial of a plan that `check` finds nothing wrong with; a worker takes it up within seconds.

    `audit` writes the entry of the audit log, in the same transaction.
    """
    trial = Trial.objects.create(
        name=plan.name[:100],
        candidate=plan.candidate,
        baseline=plan.baseline,
        concurrency=sorted(set(plan.concurrency)),
        seconds_per_step=plan.seconds_per_step,
        answer_tokens=plan.answer_tokens,
        cap_usd=plan.cap_usd,
        prompt_source=plan.source,
        source_name=plan.source_name[:200],
        rejected=plan.file.rejected if plan.file else 0,
        rejected_lines=plan.file.rejected_lines if plan.file else [],
        used_in_break_even=plan.used_in_break_even,
        by=by,
    )
    TrialPrompt.objects.bulk_create(
        TrialPrompt(
            trial=trial,
            number=number,
            task=prompt.task,
            text=prompt.text,
            application_id=prompt.application,
            answered_by_id=prompt.answered_by,
            answered_request=prompt.request,
            set_item_id=prompt.set_item,
            prompt_request=prompt.source,
        )
        for number, prompt in enumerate(plan.prompts, 1)
    )
    if audit is not None:
        audit(trial)
    log_event(logger, logging.INFO, "trial_created", trial_id=trial.pk, prompts=len(plan.prompts))
    return trial


def stop(trial: Trial) -> bool:
    """Ask that it ends: one that waits ends now, one that runs within a second. False where it has ended before."""
    now = timezone.now()
    waiting = Trial.objects.filter(pk=trial.pk, state=TrialState.QUEUED, claimed_until=None)
    if waiting.update(state=TrialState.STOPPED, stop_requested_at=now, finished_at=now):
        trial.state = TrialState.STOPPED
        return True
    active = Trial.objects.filter(pk=trial.pk, state__in=(TrialState.QUEUED, TrialState.RUNNING))
    return bool(active.filter(stop_requested_at=None).update(stop_requested_at=now) or active.exists())


def switch(trial: Trial) -> bool:
    """Take its capacity into Break-even, or out of it; returns whether it is used now."""
    trial.used_in_break_even = not trial.used_in_break_even
    trial.save(update_fields=["used_in_break_even"])
    return trial.used_in_break_even


def make_pairs(trial: Trial) -> int:
    """Pairs for blind raters, of each prompt that both sides answered; returns how many there are.

    Without a baseline the other side is the stored answer of a prompt that was sent again, if the candidate's is whole.
    """
    first: dict[int, dict[int, UUID]] = {}
    answered = TrialCall.objects.filter(step__trial=trial, state=CallState.OK, request_id__isnull=False)
    for key, deployment, request in answered.order_by("pk").values_list("prompt", "step__deployment", "request_id"):
        if request is not None:
            first.setdefault(key, {}).setdefault(deployment, request)
    pairs, owner, cut = 0, application(), cut_prompts(trial)
    for prompt in trial.prompts.select_related("answered_by"):
        answers = first.get(prompt.pk, {})
        other = trial.baseline or prompt.answered_by
        other_request = answers.get(other.pk) if trial.baseline and other else prompt.answered_request
        request = answers.get(trial.candidate_id)
        if other is None or other_request is None or request is None or prompt.pk in cut:
            continue
        if other.pk == trial.candidate_id:
            continue
        pairs += 1
        add_pair(
            candidate=trial.candidate,
            baseline=other,
            candidate_request=request,
            baseline_request=other_request,
            task=prompt.task,
            application=owner,
            trial_id=trial.pk,
            prompt=prompt.text,
            prompt_application_id=prompt.application_id,
        )
    return pairs


DELETE_BODIES = "DELETE FROM traffic_request_body WHERE day = %s AND request_id = ANY(%s) RETURNING 1"


def forget_texts(before: datetime) -> int:
    """The prompts of trials of before this moment lose their texts, as stored bodies do; returns how many."""
    return TrialPrompt.objects.filter(trial__created_at__lt=before).exclude(text="").update(text="")


def erase_texts_of(**copies: object) -> None:
    """Prompts that are copies of stored bodies, by their columns, lose their texts, and so do the calls with them.

    It may be called within a transaction.
    """
    erased = TrialPrompt.objects.filter(**copies)
    by_day: dict[date, list[UUID]] = {}
    for request in TrialCall.objects.filter(prompt__in=erased).values_list("request_id", flat=True):
        if request is not None:
            by_day.setdefault(day_of(request), []).append(request)
    for day, requests in by_day.items():
        sql.rows(DELETE_BODIES, [day, requests])
        erase_words(requests)
    erased.update(text="")
