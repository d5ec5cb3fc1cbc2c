"""The page behind a feedback link, for people without a login, and the button that makes a link."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from lib.client_address import client_address
from providers.audit.log import stranger
from traffic.authentication.limits import UnknownKeys
from traffic.feedback_links import services
from traffic.feedback_links.page import LinkPage, State
from traffic.models import FeedbackLink

visits = UnknownKeys()  # the same limit as for keys: who tries addresses waits


class ThumbForm(forms.Form):
    """Good or bad, and why."""

    score = forms.TypedChoiceField(choices=[("1", _("Good")), ("-1", _("Bad"))], coerce=int)
    comment = forms.CharField(max_length=5_000, required=False)


@require_http_methods(["GET", "HEAD", "POST"])
def feedback_link(request: HttpRequest, token: str) -> HttpResponse:
    """Only a POST uses the link up: programs that preview links in mails follow them by GET."""
    number = services.number_of(token)
    if number is None and (wait := visits.take(client_address(request))):  # nobody shuts the links of others
        response = _page(request, "often")
        response["Retry-After"] = str(wait)
        return response
    link = None if number is None else services.link_of(number)
    state = state_of(link)
    if link is None or state != "open" or request.method != "POST":
        return _page(request, state)
    form = ThumbForm(request.POST)
    if not form.is_valid():
        return _page(request, state, status=422, form=form)
    try:
        services.use(link=link, actor=stranger(request), **form.cleaned_data)
    except services.AnswerGone:
        return _page(request, "gone")
    except services.Unusable:
        return _page(request, "used")
    return _page(request, "done")


def state_of(link: FeedbackLink | None) -> State:
    if link is None:
        return "unknown"
    if link.used_at is not None:
        return "used"
    return "open" if link.expires_at > timezone.now() else "expired"


def _page(request: HttpRequest, state: State, status: int = 0, form: ThumbForm | None = None) -> HttpResponse:
    page = LinkPage(state)
    context = {"page": page, "form": form}
    response = render(request, "traffic/feedback_links/feedback_link.html", context, status=status or page.status)
    response["X-Robots-Tag"] = "noindex"
    return response
