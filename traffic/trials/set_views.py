"""Quality: sets of judged answers, made, shown beside a trial, downloaded and deleted."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, get_view, post_view
from providers.audit.log import Action, log, person, record
from traffic.models import Trial
from traffic.trials import sets
from traffic.trials.prompts import readable
from traffic.trials.set_forms import SetForm
from traffic.trials.set_page import SetPage, headline, saved_words


@form_view("traffic.add_trial")
def set_list(request: HttpRequest) -> HttpResponse:
    form = SetForm(form_data(request), request.FILES or None, today=timezone.now().date(), user=request.user)
    if request.method == "POST" and form.is_valid():
        made = sets.keep(name=form.cleaned_data["name"], draft=form.draft, by=request.user)
        log(request, made, added=True)
        messages.success(request, saved_words(made, form.draft.left_out))
        return redirect("traffic:set", made.pk)
    rows = sets.latest_sets()
    context = {"rows": rows, "headline": headline(rows), "form": form}
    return render(request, "traffic/trials/sets.html", context, status=422 if form.errors else 200)


def chosen(request: HttpRequest, trials: list[Trial]) -> Trial | None:
    return next((trial for trial in trials if request.GET.get("trial") == str(trial.pk)), None)


@get_view("traffic.add_trial")
def set_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The items, and beside them the answers of the newest trial, or of the one in the address."""
    answer_set, within = sets.set_or_404(pk), readable(request.user)
    items = list(sets.items_of(answer_set, within))
    trials = sets.trials_of(answer_set)
    trial = chosen(request, trials) or (trials[0] if trials else None)
    record(Action.READ, actor=person(request), thing=answer_set, count=max(len(items), 1), chain=False)
    page = SetPage(answer_set, sets.outcomes(trial, items), trial, answer_set.items.count() - len(items))
    choices = [{"label": it.name, "url": f"?trial={it.pk}", "current": it == trial} for it in trials]
    return render(request, "traffic/trials/set.html", {"page": page, "it": answer_set, "trials": choices})


@get_view("traffic.add_trial")
def set_file(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The items as JSON lines, as the form reads them; with the changes in the trial of the address."""
    answer_set = sets.set_or_404(pk)
    trial = chosen(request, sets.trials_of(answer_set))
    items = list(sets.items_of(answer_set, readable(request.user)))
    record(Action.EXPORT, actor=person(request), thing=answer_set, count=max(len(items), 1))
    headers = {"Content-Disposition": f'attachment; filename="set-{pk}.jsonl"'}
    return StreamingHttpResponse(sets.lines(items, trial), content_type="application/x-ndjson", headers=headers)


@post_view("traffic.add_trial")
def set_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """The copies of texts are gone for good; trials of the set stay."""
    answer_set = sets.set_or_404(pk)
    log(request, answer_set, deleted=True)
    sets.remove(answer_set)
    messages.success(request, _("%(name)s is deleted.") % {"name": answer_set})
    return redirect("traffic:sets")
