"""The settings page of storage: sizes, retention, and what a shorter retention would delete."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.storage import queries as report
from dashboard.storage import set_aside
from lib.http import form_view, get_view
from providers.audit.log import changes, log
from traffic.models import Installation
from traffic.privacy.services import save_retention
from traffic.retention_settings import LEAST, MOST, RetentionDays, current_retention

CHANGE = "traffic.change_installation"


class KeptForm(forms.Form):
    """Days of retention. Fewer days delete data, so the page shows that before it is done."""

    requests = forms.IntegerField(
        label=gettext_lazy("Requests, days"),
        min_value=LEAST,
        max_value=MOST,
        help_text=gettext_lazy("Their totals stay: spend, usage and latency do not change."),
    )
    bodies = forms.IntegerField(
        label=gettext_lazy("Prompts and answers, days"),
        min_value=1,
        max_value=MOST,
        help_text=gettext_lazy("Of applications that opted in. At most as long as the requests."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        requests, bodies = cleaned.get("requests"), cleaned.get("bodies")
        if requests is not None and bodies is not None and bodies > requests:
            self.add_error(
                "bodies", _("Not longer than their requests, which are kept for %(n)s days.") % {"n": requests}
            )
        return cleaned

    @property
    def days(self) -> RetentionDays:
        """The retention of the form. Call `is_valid` before."""
        return RetentionDays(self.cleaned_data["requests"], self.cleaned_data["bodies"])


@form_view("providers.view_account")
def storage(request: HttpRequest) -> HttpResponse:
    """The page. The first POST shows what fewer days would delete; they are saved only after a confirmation."""
    may_change = request.user.has_perm(CHANGE)
    now = current_retention()
    context: dict[str, Any] = {
        "kept": now,
        "may_change": may_change,
        "soon": report.SOON,
        "growth_days": report.GROWTH_DAYS,
        "unstored": set_aside.set_aside(),
        "unstored_path": set_aside.path(),
    }
    form = KeptForm(request.POST if request.method == "POST" else None, initial=now._asdict())
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid():
            losses = report.losses(timezone.now().date(), form.days) if form.days != now else []
            if not losses or request.POST.get("confirm") == "1":
                return save(request, now, form.days)
            context |= {"losses": losses, "asked": form.days}
    context |= {"form": form, "it": report.storage(), "log": changes(Installation(pk=1)) if may_change else []}
    return render(request, "dashboard/storage/storage.html", context, status=422 if form.errors else 200)


def save(request: HttpRequest, before: RetentionDays, days: RetentionDays) -> HttpResponse:
    if days != before:
        text = _(
            "Requests are kept %(requests)s days instead of %(r)s, prompts and answers %(bodies)s instead of %(b)s."
        )
        row = save_retention(days=days)
        log(request, row, text % {**days._asdict(), "r": before.requests, "b": before.bodies})
        report.clear_cache()
        messages.success(request, _("Saved. Older data is deleted within the hour."))
    else:
        messages.info(request, _("Nothing was changed: these are the current values."))
    return redirect("storage")


@get_view(CHANGE)
def unstored(request: HttpRequest) -> HttpResponseBase:
    """Download the gateway's calls that could not be stored. They contain prompts and answers, so only admins may."""
    try:
        file = set_aside.path().open("rb")
    except FileNotFoundError:
        raise Http404(_("Every call was stored.")) from None
    return FileResponse(file, as_attachment=True, content_type="application/x-ndjson")
