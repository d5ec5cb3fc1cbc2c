"""Queues: those that wait for me, and for who manages them a form and their progress."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.http import form_data, form_view, get_view, post_view
from providers.audit.log import log, log_form
from traffic.models import RatingQueue
from traffic.queues import queries, services
from traffic.queues.forms import QueueForm
from traffic.queues.page import QueueList, QueuePage

CHANGE = "traffic.change_ratingqueue"


@get_view("traffic.add_rating")
def queue_list(request: HttpRequest) -> HttpResponse:
    rows = queries.listed(request.user, every=request.user.has_perm(CHANGE))
    context = {"page": QueueList(rows, queries.left_for(request.user))}
    return render(request, "traffic/queues/queues.html", context)


@form_view(CHANGE)
def queue_add(request: HttpRequest) -> HttpResponse:
    form = QueueForm(form_data(request))
    if request.method == "POST" and form.is_valid():
        queue = services.make(form.instance, by=request.user, raters=form.cleaned_data["raters"])
        log_form(request, queue, form, added=True)
        _filled(request, services.fill(queue, timezone.now()))
        return redirect("traffic:queue", queue.pk)
    return render(request, "traffic/queues/queue_add.html", {"form": form}, status=422 if form.errors else 200)


def _filled(request: HttpRequest, answers: int) -> None:
    text = ngettext("%(n)s answer added to the queue.", "%(n)s answers added to the queue.", answers)
    messages.success(request, text % {"n": answers})


@get_view(CHANGE)
def queue_detail(request: HttpRequest, pk: int) -> HttpResponse:
    queue = _queue(pk)
    page = QueuePage(queries.progress_of(queue, request.user), queries.by_rater(queue), queries.skip_reasons(queue))
    return render(request, "traffic/queues/queue.html", {"page": page, "queue": queue})


@post_view(CHANGE)
def queue_fill(request: HttpRequest, pk: int) -> HttpResponse:
    """Draw more answers."""
    queue = _queue(pk)
    answers = services.fill(queue, timezone.now())
    log(request, queue, _("%(n)s answers added.") % {"n": answers})
    _filled(request, answers)
    return redirect("traffic:queue", pk)


@post_view(CHANGE)
def queue_switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a queue, or open it again."""
    queue = services.switch(_queue(pk))
    sentence = _("Queue closed. Its ratings stay.") if queue.closed_at else _("Queue opened.")
    log(request, queue, sentence)
    messages.success(request, sentence)
    return redirect("traffic:queue", pk)


def _queue(pk: int) -> RatingQueue:
    queue = queries.queue_of(pk)
    if queue is None:
        raise Http404(_("This queue does not exist."))
    return queue
