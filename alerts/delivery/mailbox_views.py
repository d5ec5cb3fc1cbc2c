"""The demo's mailbox as pages. A message's HTML is served under a policy of its own, framed and sandboxed."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.clickjacking import xframe_options_sameorigin

from alerts.delivery import mailbox as maildir
from alerts.delivery.mailbox import Mail
from alerts.delivery.page import MailboxPage, mail_answer
from alerts.mail.framing import MAIL_POLICY, framing, opens_elsewhere
from lib.http import get_view


@get_view("alerts.view_alert")
def mailbox(request: HttpRequest) -> HttpResponse:
    """What the demo's own SMTP server took in, newest first."""
    only_in_the_demo()
    return render(request, "alerts/delivery/mailbox.html", {"page": MailboxPage(maildir.newest())})


@get_view("alerts.view_alert")
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One message: text part, and the HTML part in a frame."""
    message = mail_or_404(name)
    return framing(render(request, "alerts/delivery/mail.html", {"mail": message, "answer": mail_answer(message)}))


@get_view("alerts.view_alert")
@xframe_options_sameorigin
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    message = mail_or_404(name)
    if not message.html:
        raise Http404
    return HttpResponse(opens_elsewhere(message.with_pictures), headers={"Content-Security-Policy": MAIL_POLICY})


@get_view("alerts.view_alert")
def mail_file(request: HttpRequest, name: str, place: int) -> HttpResponse:
    """A file that came with a message, to be saved and never shown here."""
    files = mail_or_404(name).files
    if place >= len(files):
        raise Http404
    file = files[place]
    answer = HttpResponse(file.content, content_type="application/octet-stream")
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=file.name) or "attachment"
    return answer


def only_in_the_demo() -> None:
    if not settings.DEMO:
        raise Http404


def mail_or_404(name: str) -> Mail:
    only_in_the_demo()
    message = maildir.find(name)
    if message is None:
        raise Http404
    return message
