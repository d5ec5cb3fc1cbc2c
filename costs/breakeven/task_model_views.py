"""Choosing the API model that stands for a task in the comparison with our own GPUs."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.breakeven import services
from costs.breakeven.forms import TaskModelForm
from costs.breakeven.queries import chosen_models, priced_models
from costs.people import person
from lib.http import form_data, form_view, post_view
from traffic.models import Task


@form_view("costs.change_phase")
def choose(request: HttpRequest, task: str) -> HttpResponse:
    label, now = task_label(task), timezone.now()
    chosen = chosen_models().get(task)
    form = TaskModelForm(form_data(request), models=priced_models(now), chosen=chosen)
    if request.method == "POST" and form.is_valid():
        provider, _slash, model = form.cleaned_data["model"].partition("/")
        services.choose_model(request, task, provider, model, by=person(request), now=now)
        messages.success(request, _("%(task)s is now priced at %(model)s.") % {"model": model, "task": label})
        return redirect("costs:break-even")
    context = {"form": form, "task": task, "label": label, "chosen": chosen}
    return render(request, "costs/breakeven/task_model.html", context, status=422 if form.errors else 200)


@post_view("costs.change_phase")
def follow_log(request: HttpRequest, task: str) -> HttpResponseRedirect:
    label = task_label(task)
    if services.follow_log(request, task):
        messages.success(request, _("%(task)s is priced at the model from the log again.") % {"task": label})
    return redirect("costs:break-even")


def task_label(task: str) -> str:
    """The name of a task. Raises Http404."""
    if task not in Task.values:
        raise Http404
    return str(Task(task).label)
