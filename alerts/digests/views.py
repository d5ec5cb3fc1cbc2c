"""What a digest or the statement's mail would say now, before anybody gets it."""

from __future__ import annotations

import base64
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from alerts.digests.mail import bodies, context_of, words_of
from alerts.digests.periods import newest
from alerts.digests.saved import views_in
from alerts.mail.framing import MAIL_POLICY, framing, opens_elsewhere
from alerts.models import ReportKind
from lib.http import get_view

CID = "chart"
TAB_LABELS = {
    ReportKind.DAILY: _("Daily"),
    ReportKind.WEEKLY: _("Weekly"),
    ReportKind.MONTHLY: _("Monthly"),
    ReportKind.STATEMENT: _("Statement"),
}


@get_view("costs.view_charge")
def digest(request: HttpRequest, kind: str) -> HttpResponse:
    """Subject, text and, in a frame, the HTML of the newest period."""
    context = shown(request, kind)
    text, _html = bodies(context)
    kinds = [(option.value, str(TAB_LABELS[option]), option.value == kind) for option in ReportKind]
    context_for_page = {"kind": kind, "kinds": kinds, "subject": context["subject"], "text": text}
    return framing(render(request, "alerts/digests/digest.html", context_for_page))


@get_view("costs.view_charge")
@xframe_options_sameorigin
def digest_html(request: HttpRequest, kind: str) -> HttpResponse:
    context = shown(request, kind)
    _text, html = bodies(context)
    if context["chart"]:
        image = base64.b64encode(context["chart"].image).decode()
        html = html.replace(f"cid:{CID}", f"data:image/png;base64,{image}")
    return HttpResponse(opens_elsewhere(html), headers={"Content-Security-Policy": MAIL_POLICY})


def shown(request: HttpRequest, kind: str) -> dict[str, Any]:
    if kind not in ReportKind.values:
        raise Http404
    now = timezone.now()
    words = words_of(kind, newest(kind, now.date()), now) | {"views": views_in(kind, request.user)}
    return context_of(kind, words, now, CID)
