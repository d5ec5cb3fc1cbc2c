"""Quality: one trial, while it runs and as a report."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from costs.trials.page import TrialPage
from costs.trials.report import TrialReport
from lib.http import asks_for_part, get_view
from traffic.trials.queries import trial_or_404


@get_view("traffic.view_trial")
def trial(request: HttpRequest, pk: int) -> HttpResponse:
    """The report; htmx asks for it again while the trial runs."""
    page = TrialPage(TrialReport(trial_or_404(pk), timezone.now()))
    polled = asks_for_part(request, "trial")
    context = {"page": page, "it": page.trial, "may_stop": request.user.has_perm("traffic.add_trial"), "polled": polled}
    return render(request, "costs/trials/_trial.html" if polled else "costs/trials/trial.html", context)


@get_view("traffic.view_trial")
def trial_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    from costs.trials.pdf import pdf  # the library is large, and most processes never need it

    now = timezone.now()
    page = TrialPage(TrialReport(trial_or_404(pk), now))
    answer = HttpResponse(pdf(page, page.trial.finished_at or now), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="trial-{pk}.pdf"'
    return answer
