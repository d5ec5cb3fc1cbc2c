"""What people do with alerts: each a page that asks once and a POST that acts, with an undo where one makes sense.

A mail's link carries a signed token instead of a login; it acts for the person that the mail went to, once, whoever
is logged in where it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from alerts import links, services
from alerts.forms import NoteForm, SilenceForm
from alerts.models import Alert, OptOut, Rule
from alerts.silencing import Matcher
from alerts.states import NotPossible

Person = AbstractUser
Act = Callable[[Alert, Person, Any], str]


class _Stop(Exception):
    """The answer is already known."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


def _person(request: HttpRequest, action: str, pk: int, permission: str) -> tuple[Person, str]:
    """Who acts, and the token of a mail, which decides alone where there is one. Raises _Stop or PermissionDenied."""
    user, token = request.user, request.GET.get("by", "")
    if not user.is_authenticated and not token:
        raise _Stop(redirect_to_login(request.get_full_path()))
    person: Person = _owner(request, token, action, pk) if token else user  # type: ignore[assignment]  # logged in
    if not person.has_perm(permission):
        raise PermissionDenied
    return person, token


def _owner(request: HttpRequest, token: str, action: str, pk: int) -> Person:
    try:
        _key, address = links.read(token, action, pk)
        if links.used(token):
            raise links.BadLink("used")
    except links.BadLink as error:
        raise _Stop(render(request, "alerts/bad_link.html", {"why": str(error), "pk": pk}, status=410)) from None
    person = get_user_model().objects.filter(email__iexact=address, is_active=True).order_by("pk").first()
    if person is None:
        raise _Stop(redirect_to_login(request.path))
    return person


def _acting(
    request: HttpRequest, pk: int, action: str, permission: str, form_class: type[NoteForm | SilenceForm], act: Act
) -> HttpResponse:
    """Ask on GET, act on POST, say what was done with an undo."""
    try:
        person, token = _person(request, action, pk, permission)
    except _Stop as stop:
        return stop.response
    alert = get_object_or_404(Alert.objects.select_related("rule"), pk=pk)
    form = form_class(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                if token:
                    links.use_up(token)
                undo = act(alert, person, form.cleaned_data)
        except (NotPossible, links.BadLink) as error:
            messages.warning(request, _("Nothing was changed: %(why)s.") % {"why": error})
            undo = ""
        return _done(request, alert, action, token, undo)
    context = {"alert": alert, "action": action, "form": form, "by_mail": bool(token)}
    return render(request, "alerts/confirm.html", context, status=422 if form.errors else 200)


DONE = {
    "acknowledge": lambda: _("Acknowledged: no reminder and no escalation."),
    "silence": lambda: _("Silenced: no mail about it until then."),
    "resolve": lambda: _("Resolved: it opens again when the line is crossed anew."),
}


def _done(request: HttpRequest, alert: Alert, action: str, token: str, undo: str) -> HttpResponse:
    if token:  # whoever holds the mail need not be logged in, so there is no page to go back to
        return render(request, "alerts/done.html", {"alert": alert, "text": DONE[action]() if undo else ""})
    if undo:
        messages.success(request, DONE[action](), extra_tags=f"undo:{undo}")
    return redirect("alerts:detail", pk=alert.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Someone has it."""

    def act(alert: Alert, person: Person, data: dict[str, Any]) -> str:
        services.acknowledge(alert_id=alert.pk, by=person, note=data["note"])
        return reverse("alerts:unacknowledge", args=[alert.pk])

    return _acting(request, pk, "acknowledge", "alerts.change_alert", NoteForm, act)


@require_http_methods(["GET", "HEAD", "POST"])
def resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """Someone calls it over."""

    def act(alert: Alert, person: Person, data: dict[str, Any]) -> str:
        services.resolve(alert_id=alert.pk, by=person, note=data["note"])
        return reverse("alerts:reopen", args=[alert.pk])

    return _acting(request, pk, "resolve", "alerts.change_alert", NoteForm, act)


@require_http_methods(["GET", "HEAD", "POST"])
def silence(request: HttpRequest, pk: int) -> HttpResponse:
    """No mail about this subject for a while."""

    def act(alert: Alert, person: Person, data: dict[str, Any]) -> str:
        until = timezone.now() + timedelta(hours=data["hours"])
        subject = "" if data["whole_kind"] else alert.subject
        made = services.silence(
            matcher=Matcher(alert.rule.kind, subject), until=until, reason=data["reason"], by=person
        )
        return reverse("alerts:lift", args=[made.pk])

    return _acting(request, pk, "silence", "alerts.add_silence", SilenceForm, act)


def _undone(request: HttpRequest, pk: int, take_back: Callable[[], object]) -> HttpResponse:
    try:
        take_back()
        messages.success(request, _("Taken back."))
    except NotPossible as error:
        messages.warning(request, _("Nothing was changed: %(why)s.") % {"why": error})
    return redirect("alerts:detail", pk=pk)


@login_required
@permission_required("alerts.change_alert", raise_exception=True)
@require_POST
def unacknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    alert = get_object_or_404(Alert, pk=pk)
    return _undone(request, pk, lambda: services.unacknowledge(alert_id=alert.pk, by=request.user))  # type: ignore[arg-type]  # logged in


@login_required
@permission_required("alerts.change_alert", raise_exception=True)
@require_POST
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    alert = get_object_or_404(Alert, pk=pk)
    return _undone(request, pk, lambda: services.reopen(alert_id=alert.pk, by=request.user))  # type: ignore[arg-type]  # logged in


@login_required
@permission_required("alerts.add_silence", raise_exception=True)
@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """End a silence now."""
    services.lift(silence_id=pk)
    messages.success(request, _("The silence is over; what is open and was not told is told now."))
    return redirect("alerts:list")


@login_required
@permission_required("alerts.change_alert", raise_exception=True)
@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a message that was given up once more."""
    delivery = services.again(delivery_id=pk)
    if delivery is None:
        messages.warning(request, _("Nothing was changed: it was not given up."))
        return redirect("alerts:list")
    messages.success(request, _("It is sent again within seconds."))
    return redirect("alerts:detail", pk=delivery.alert_id)


# A mail reader posts here by itself (RFC 8058), with neither a session nor a token of ours but the signed one.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """No more mail about a rule for one address."""
    try:
        rule_id, address = links.read(token, "unsubscribe", lasts=None)
    except links.BadLink as error:
        return render(request, "alerts/bad_link.html", {"why": str(error)}, status=410)
    rule = get_object_or_404(Rule, pk=rule_id)
    out = OptOut.objects.filter(rule=rule, address__iexact=address)
    if request.method == "POST":
        if request.POST.get("again"):
            out.delete()
        else:
            OptOut.objects.get_or_create(rule=rule, address=address)
    context = {"rule": rule, "address": address, "out": out.exists(), "asked": request.method == "POST"}
    return render(request, "alerts/unsubscribe.html", context)
