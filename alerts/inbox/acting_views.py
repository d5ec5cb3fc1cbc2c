"""What people do with alerts: each a page that asks once and a POST that acts, with an undo where one makes sense.

A mail's link carries a signed token instead of a login; it acts for the person that the mail went to, once, whoever
is logged in where it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise as StrPromise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from alerts.delivery import services as delivery_services
from alerts.delivery.subscriptions import subscription
from alerts.evaluation import services
from alerts.inbox import queries
from alerts.inbox.forms import AssignForm, NoteForm, RemarkForm, SilenceForm, SnoozeForm
from alerts.inbox.page import bad_link_answer, subscription_answer
from alerts.inbox.services import act_once
from alerts.lifecycle.silences import Matcher
from alerts.lifecycle.states import NotPossible
from alerts.mail import links
from alerts.models import Alert
from lib.client_address import client_address
from lib.http import post_view
from providers.audit.log import Action, Actor, ActorKind, record

Person = AbstractUser
Act = Callable[[Alert, Person, Any], str]  # the address that takes it back
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a page asks before it acts, what follows from it, its button, and what is said afterwards."""

    question: StrPromise
    note: StrPromise
    submit: StrPromise
    done: StrPromise


ASKS = {
    "acknowledge": Ask(
        gettext_lazy("Acknowledge this alert? You will be its owner."),
        gettext_lazy(
            "It stays open and resolves automatically when the problem ends. There are no reminders and no escalation."
        ),
        gettext_lazy("Acknowledge"),
        gettext_lazy("Acknowledged. No reminders and no escalation."),
    ),
    "silence": Ask(
        gettext_lazy("Silence notifications about this for how long?"),
        gettext_lazy("It is still evaluated. If it is open when the silence ends, recipients are notified then."),
        gettext_lazy("Silence"),
        gettext_lazy("Silenced: no notifications until then."),
    ),
    "resolve": Ask(
        gettext_lazy("Resolve this alert manually?"),
        gettext_lazy(
            "Its recipients are notified that it is resolved. It stays closed until the value is "
            "back within the limit. After that it can open again."
        ),
        gettext_lazy("Resolve"),
        gettext_lazy("Resolved. It opens again when the limit is exceeded again."),
    ),
    "snooze": Ask(
        gettext_lazy("Snooze this alert until when?"),
        gettext_lazy("This applies to this alert only. You are notified at once if it gets worse or ends."),
        gettext_lazy("Snooze"),
        gettext_lazy("Snoozed. You are notified then if it is still open."),
    ),
    "assign": Ask(
        gettext_lazy("Assign this alert to whom?"),
        gettext_lazy("They are notified by e-mail. It stays open and escalates until it is acknowledged."),
        gettext_lazy("Assign"),
        gettext_lazy("Assigned."),
    ),
    "note": Ask(
        gettext_lazy("Add a note to this alert"),
        gettext_lazy("Your note appears in the history with your name. Nothing else changes."),
        gettext_lazy("Add note"),
        gettext_lazy("Note added to the history."),
    ),
}


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
    if not settings.MAIL_LINKS_ACT:  # mails that left before it was so say the same link
        raise _Stop(redirect_to_login(request.path))
    try:
        _key, address = links.read(token, action, pk)
        if links.used(token):
            raise links.BadLink("used")
    except links.BadLink as error:
        raise _Stop(_refused(request, error, pk)) from None
    person = queries.person_of_address(address)
    if person is None:
        raise _Stop(redirect_to_login(request.path))
    return person


def _refused(request: HttpRequest, error: links.BadLink, pk: int | None = None) -> HttpResponse:
    """Why a mail's link does nothing, with the way to what it was about."""
    return render(request, "alerts/inbox/bad_link.html", {"answer": bad_link_answer(str(error)), "pk": pk}, status=410)


def _acting(
    request: HttpRequest, pk: int, action: str, permission: str, form_class: type[forms.Form], act: Act
) -> HttpResponse:
    """Ask on GET, act on POST, say what was done with an undo; `?back=list` leads back there."""
    try:
        person, token = _person(request, action, pk, permission)
    except _Stop as stop:
        return stop.response
    alert = queries.alert_by_key(pk)
    # Whoever pressed `i` most often takes it; whoever came by keyboard goes on by it.
    form = form_class(request.POST if request.method == "POST" else None,
                      initial={"to": alert.assigned_to_id or person.pk})  # fmt: skip
    if token and isinstance(form, SilenceForm):
        form.narrow()
    if not form.is_bound:
        next(iter(form.fields.values())).widget.attrs["autofocus"] = True
    if request.method == "POST" and form.is_valid():
        undo: str | None = None
        try:
            undo = act_once(token=token, act=lambda: act_and_record(request, alert, person, token, act, action, form))
        except (NotPossible, links.BadLink) as error:
            messages.warning(request, _("Nothing was changed: %(why)s.") % {"why": error})
        return _done(request, alert, action, token, undo)
    context = {"alert": alert, "ask": ASKS[action], "form": form, "by_mail": bool(token), "back": _back(request)}
    return render(request, "alerts/inbox/confirm.html", context, status=422 if form.errors else 200)


def act_and_record(
    request: HttpRequest, alert: Alert, person: Person, token: str, act: Act, action: str, form: forms.Form
) -> str:
    """The step itself, with an entry in the audit log where a mail allowed it. Returns what takes it back."""
    undo = act(alert, person, {**form.cleaned_data, "by_mail": bool(token)})
    if token:
        tell_mail_act(request, alert, person, action, form.cleaned_data)
    return undo


def tell_mail_act(request: HttpRequest, alert: Alert, person: Person, action: str, data: dict[str, Any]) -> None:
    """Whoever could read the mail did this, in the name of the person that it went to."""
    text = f"{action}, {data['hours']} h" if "hours" in data else action
    actor = Actor(ActorKind.MAIL, person.get_username(), person.pk, client_address(request))
    record(Action.CHANGED, actor=actor, thing=alert, message=text)


def _done(request: HttpRequest, alert: Alert, action: str, token: str, undo: str | None) -> HttpResponse:
    """`undo` is None where nothing was changed."""
    if token:  # whoever holds the mail need not be logged in, so there is no page to go back to
        faster = _("Nothing was changed: another person has just changed it.")
        text = faster if undo is None else ASKS[action].done
        return render(request, "alerts/inbox/done.html", {"alert": alert, "text": text})
    back = _back(request) or str(alert.pk)
    if undo is not None:
        tags = f"undo:{undo}{'&' if '?' in undo else '?'}{urlencode({'back': back})}"
        messages.success(request, str(ASKS[action].done), extra_tags=tags)
    return went_back(request, back)


def _back(request: HttpRequest) -> str:
    """Where this person came from: `list`, an alert by its number, or empty where nobody says."""
    place: str = request.GET.get("back") or request.POST.get("back") or ""
    return place if place == "list" or (place.isdecimal() and len(place) < 18) else ""


def went_back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """To where this person came from, else to the list, an alert by its number, or the page of a name."""
    back = _back(request) or otherwise
    return redirect("alerts:detail", pk=int(back)) if back.isdecimal() else redirect(f"alerts:{back}")


def _act(form_class: type[forms.Form], permission: str = "alerts.change_alert") -> Callable[[Act], View]:
    """Make the view of a step, which returns the address that takes it back; its name is the action's."""

    def decorated(act: Act) -> View:
        @require_http_methods(["GET", "HEAD", "POST"])
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            return _acting(request, pk, act.__name__, permission, form_class, act)

        return view

    return decorated


@_act(NoteForm)
def acknowledge(alert: Alert, person: Person, data: dict[str, Any]) -> str:
    """Someone has it."""
    services.acknowledge(alert_id=alert.pk, by=person, note=data["note"])
    return reverse("alerts:unacknowledge", args=[alert.pk])


@_act(NoteForm)
def resolve(alert: Alert, person: Person, data: dict[str, Any]) -> str:
    """Someone calls it over."""
    services.resolve(alert_id=alert.pk, by=person, note=data["note"])
    return reverse("alerts:reopen", args=[alert.pk])


@_act(SilenceForm, "alerts.add_silence")
def silence(alert: Alert, person: Person, data: dict[str, Any]) -> str:
    """No mail about this subject for a while."""
    until = timezone.now() + timedelta(hours=data["hours"])
    if data["by_mail"] and "*" in alert.subject:  # as a silence it would hold for others too
        services.snooze(alert_id=alert.pk, until=until, by=person, note=data["reason"])
        return reverse("alerts:unsnooze", args=[alert.pk])
    matcher = Matcher(alert.rule.kind, "" if data.get("whole_kind") else alert.subject)
    made = services.silence(matcher=matcher, until=until, reason=data["reason"], by=person)
    return reverse("alerts:lift", args=[made.pk])


@_act(SnoozeForm)
def snooze(alert: Alert, person: Person, data: dict[str, Any]) -> str:
    """This one can wait."""
    until = timezone.now() + timedelta(hours=data["hours"])
    services.snooze(alert_id=alert.pk, until=until, by=person, note=data["note"])
    return reverse("alerts:unsnooze", args=[alert.pk])


@_act(AssignForm)
def assign(alert: Alert, person: Person, data: dict[str, Any]) -> str:
    """It is somebody's, or nobody's again."""
    before = alert.assigned_to_id
    services.assign(alert_id=alert.pk, to=data["to"], by=person, note=data["note"])
    return f"{reverse('alerts:reassign', args=[alert.pk])}?{urlencode({'to': before or ''})}"


@_act(RemarkForm)
def note(alert: Alert, person: Person, data: dict[str, Any]) -> str:
    """Something to remember."""
    services.write_note(alert_id=alert.pk, note=data["note"], by=person)
    return reverse("alerts:erase-note", args=[alert.pk])


BULK: dict[str, Callable[[int, Person], object]] = {
    "acknowledge": lambda pk, person: services.acknowledge(alert_id=pk, by=person),
    "take": lambda pk, person: services.assign(alert_id=pk, to=person, by=person),
    "snooze": lambda pk, person: services.snooze(alert_id=pk, by=person, until=timezone.now() + timedelta(hours=8)),
    "resolve": lambda pk, person: services.resolve(alert_id=pk, by=person),
    "unacknowledge": lambda pk, person: services.unacknowledge(alert_id=pk, by=person),
    "unsnooze": lambda pk, person: services.unsnooze(alert_id=pk, by=person),
    "reopen": lambda pk, person: services.reopen(alert_id=pk, by=person),
}
TAKEN_BACK_BY = {"acknowledge": "unacknowledge", "snooze": "unsnooze", "resolve": "reopen"}


@post_view("alerts.change_alert")
def bulk(request: HttpRequest) -> HttpResponse:
    """One step for every alert that was chosen; those whose state does not allow it are left as they are.

    What takes it back says all of it in its address.
    """
    sent = request.POST if "action" in request.POST else request.GET
    name = sent.get("action", "")
    act, person = BULK.get(name), request.user
    keys = [pk for pk in sent.getlist("alert") if pk.isdecimal() and len(pk) < 18][:200]
    chosen = queries.alerts_by_keys(keys)
    if act is None or not chosen:
        messages.warning(request, _("Nothing was changed: select alerts first."))
        return redirect("alerts:list")
    done: list[int] = []
    for alert in chosen:
        try:
            act(alert.pk, person)  # type: ignore[arg-type]  # logged in
            done.append(alert.pk)
        except NotPossible as error:
            messages.warning(request, _("Not changed: %(title)s (%(why)s).") % {"title": alert.title, "why": error})
    if done:
        text = ngettext("One alert was changed.", "%(n)s alerts were changed.", len(done))
        undo = ""
        if name in TAKEN_BACK_BY:
            query = urlencode({"action": TAKEN_BACK_BY[name], "alert": done}, doseq=True)
            undo = f"undo:{reverse('alerts:bulk')}?{query}"
        messages.success(request, text % {"n": len(done)}, extra_tags=undo)
    return redirect("alerts:list")


def _taking_back(step: Callable[[int, HttpRequest], object]) -> Callable[..., HttpResponse]:
    """The view behind an undo: what it takes back, or a sentence on why that cannot be; then to where one was."""

    @post_view("alerts.change_alert")
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        queries.alert_by_key(pk)
        try:
            step(pk, request)
            messages.success(request, _("Undone."))
        except NotPossible as error:
            messages.warning(request, _("Nothing was changed: %(why)s.") % {"why": error})
        return went_back(request, str(pk))

    return view


def _who(request: HttpRequest) -> Person:
    assert isinstance(request.user, AbstractUser), "every view here asks for a login"
    return request.user


def _to_before(pk: int, request: HttpRequest) -> object:
    """To whoever had it before, or to nobody."""
    to = request.GET.get("to", "")
    person = queries.person_who_may_act(pk=int(to)) if to.isdecimal() and len(to) < 10 else None
    return services.assign(alert_id=pk, to=person, by=_who(request))


reassign = _taking_back(_to_before)
erase_note = _taking_back(lambda pk, request: services.erase_note(alert_id=pk, by=_who(request)))
unacknowledge = _taking_back(lambda pk, request: services.unacknowledge(alert_id=pk, by=_who(request)))
unsnooze = _taking_back(lambda pk, request: services.unsnooze(alert_id=pk, by=_who(request)))
reopen = _taking_back(lambda pk, request: services.reopen(alert_id=pk, by=_who(request)))


@post_view("alerts.change_alert")
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a message that was given up once more."""
    delivery = delivery_services.retry(delivery_id=pk)
    if delivery is None:
        messages.warning(request, _("Nothing was changed: it has not failed."))
        return redirect("alerts:list")
    messages.success(request, _("It is sent again within seconds."))
    return redirect("alerts:deliveries") if delivery.report_id else redirect("alerts:detail", pk=delivery.alert_id)


# A mail reader posts here by itself (RFC 8058), with neither a session nor a token of ours but the signed one.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """No more mail of one sort for one address."""
    try:
        mailings = subscription(token)
    except links.BadLink as error:
        return _refused(request, error)
    if request.method == "POST":
        mailings.switch(out=not request.POST.get("again"))
    context = {
        "what": mailings.what,
        "answer": subscription_answer(mailings.address, out=mailings.out, answered=request.method == "POST"),
        "out": mailings.out,
    }
    return render(request, "alerts/inbox/unsubscribe.html", context)
