"""Quality: the list of trials, the form of a new one, and the button that stops one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, get_view, post_view
from providers.audit.log import log
from traffic.models import Task
from traffic.models.trials import PromptSource
from traffic.trials import queries, services
from traffic.trials.forms import TrialForm
from traffic.trials.page import TrialRow, headline
from traffic.trials.prompts import readable, usual_length


@get_view("traffic.view_trial")
def trial_list(request: HttpRequest) -> HttpResponse:
    trials = queries.latest_trials()
    context = {
        "headline": headline(trials),
        "rows": [TrialRow(trial) for trial in trials],
        "may_add": request.user.has_perm("traffic.add_trial"),
        "add_url": reverse("traffic:trial-add"),
    }
    return render(request, "traffic/trials/trials.html", context)


def prefilled(request: HttpRequest) -> dict[str, Any]:
    """What the address asks for: `?task=rag` sends stored prompts of that task to the self-hosted deployment.

    `&model=` names the model whose deployment gets them instead.
    """
    named = (request.GET.get(name, "") for name in ("candidate", "baseline", "model"))
    candidate, baseline = queries.usual_sides(*named)
    task = request.GET.get("task", "")
    initial: dict[str, Any] = {"candidate": candidate, "baseline": baseline}
    if (pk := request.GET.get("set", "")).isdecimal() and len(pk) < 18:
        stored = {"source": PromptSource.SET.value, "answer_set": int(pk), "concurrency": "1", "baseline": None}
        return initial | stored | {"name": _("Set of answers")}
    if task not in Task.values:
        return initial | {"name": _("Proof of concept")}
    name = _("Replay: %(task)s") % {"task": Task(task).label}
    length = usual_length(task, timezone.now().date(), readable(request.user))
    if length is not None:
        initial["answer_tokens"] = min(max(length + 1, services.ANSWER_TOKENS), services.MOST_ANSWER_TOKENS)
    return initial | {"name": name, "task": task, "source": PromptSource.TASK.value, "concurrency": "1, 4",
                      "baseline": queries.deployment_of(request.GET.get("baseline", ""))}  # fmt: skip


@form_view("traffic.add_trial")
def trial_add(request: HttpRequest) -> HttpResponse:
    """A trial to be started; `?task=` fills the form for a replay."""
    form = TrialForm(form_data(request), request.FILES or None, today=timezone.now().date(), user=request.user,
                     initial=prefilled(request))  # fmt: skip
    if request.method == "POST" and form.is_valid() and form.plan is not None:
        trial = services.create(form.plan, by=request.user, audit=lambda made: log(request, made, added=True))
        return redirect("costs:trial", trial.pk)
    return render(request, "traffic/trials/trial_add.html", {"form": form}, status=422 if form.errors else 200)


@post_view("traffic.add_trial")
def trial_switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the capacity into Break-even, or out of it."""
    trial = queries.trial_or_404(pk)
    used = services.switch(trial)
    message = _("Break-even uses the capacity.") if used else _("Break-even does not use the capacity any more.")
    log(request, trial, message)
    messages.success(request, message)
    return redirect("costs:trial", pk)


@post_view("traffic.add_trial")
def trial_stop(request: HttpRequest, pk: int) -> HttpResponse:
    trial = queries.trial_or_404(pk)
    if services.stop(trial):
        log(request, trial, _("stop"))
        messages.success(request, _("Trial stopped. What it has measured is kept."))
    else:
        messages.info(request, _("The trial had ended before."))
    return redirect("costs:trial", pk)
