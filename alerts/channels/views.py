"""Which programs, chats and pagers are told, and does each answer?"""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from alerts.channels import hand_over, queries, services, trial_note
from alerts.channels.forms import WEBHOOKS, ChannelForm
from alerts.channels.page import ChannelPage, ChannelsPage, Tried
from alerts.mail.server import mail_problem
from alerts.mail.smtp import NotSent
from alerts.models import Channel, ChannelKind
from lib.http import form_view, get_view, post_view, render_tested, undoable
from providers.audit.log import changes, log, log_form


@get_view("alerts.view_alert")
def channels(request: HttpRequest) -> HttpResponse:
    rows = queries.channels()
    context = {
        "page": ChannelsPage(rows),
        "rows": rows,
        "mail_problem": mail_problem(),
        "monitored": any(row.kind == ChannelKind.MONITOR for row in rows),
        "may_edit": request.user.has_perm("alerts.change_channel"),
    }
    return render(request, "alerts/channels/channels.html", context)


@sensitive_post_parameters()
@form_view("alerts.add_channel")
def channel_add(request: HttpRequest, kind: str) -> HttpResponse:
    service = kind if kind in WEBHOOKS else ""
    if not service and kind not in ChannelKind.values:
        raise Http404(_("This kind of channel does not exist."))
    new_channel = Channel(kind=ChannelKind.APPRISE if service else kind)
    return edited(
        request, new_channel, ChannelForm(sent(request), instance=new_channel, person=request.user, service=service)
    )


@sensitive_post_parameters()
@form_view("alerts.view_alert")
def channel(request: HttpRequest, slug: str) -> HttpResponse:
    """One channel; whoever may change channels gets the form, the others how it fares."""
    row = queries.channel_by_slug(slug)
    if not request.user.has_perm("alerts.change_channel"):
        status = 403 if request.method == "POST" else 200
        return render(request, "403.html", status=403) if status == 403 else shown(request, row, None)
    return edited(request, row, ChannelForm(sent(request), instance=row, person=request.user))


def sent(request: HttpRequest) -> object:
    return request.POST if request.method == "POST" else None


def edited(request: HttpRequest, row: Channel, form: ChannelForm) -> HttpResponse:
    """The form as it was sent: tested, saved, or shown again."""
    if request.method != "POST":
        return shown(request, row, form)
    if not form.is_valid():
        return shown(request, row, form, status=422)
    added, filled = row.pk is None, form.filled()
    if request.POST.get("action") == "test":
        tried = try_out(request, filled)
        if not added and not form.changed_data:
            services.tried(channel_id=filled.pk, good=tried.good, answer=tried.answer, now=timezone.now())
        return shown(request, row, form, tried)
    services.save(channel=filled)
    log_form(request, filled, form, added=added)
    chosen = added and filled.kind != ChannelKind.MONITOR
    text = _("%(name)s is saved. Choose it in the rules that should use it.") if chosen else _("%(name)s is saved.")
    messages.success(request, text % {"name": filled.name})
    return redirect(filled)


def try_out(request: HttpRequest, filled: Channel) -> Tried:
    """Send a trial note to a channel, saved or not, and return the result."""
    note = trial_note(f"test.{uuid.uuid4().hex}", request.user.get_username(), timezone.now())
    try:
        return Tried(True, hand_over(filled, note, timezone.now()))
    except NotSent as error:
        return Tried(False, str(error))


def shown(
    request: HttpRequest, row: Channel, form: ChannelForm | None, tried: Tried | None = None, status: int = 200
) -> HttpResponse:
    rules = queries.rules_of(row)
    context = {
        "page": ChannelPage(row, rules, bool(form), form.service if form else ""),
        "channel": row if row.pk else None,
        "kind": ChannelKind(row.kind),
        "form": form,
        "tried": tried,
        "rules": rules,
        "deliveries": queries.newest_deliveries(row),
        "log": changes(row) if row.pk and form else [],
    }
    whole, part = "alerts/channels/channel.html", "alerts/channels/_channel_test.html"
    return render_tested(request, whole, part, context, status)


@post_view("alerts.change_channel")
def channel_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """On or off, as the form says; sending it twice changes nothing."""
    row = queries.channel_by_slug(slug)
    enabled = request.POST.get("enabled") == "1"
    if services.switch(channel=row, enabled=enabled, now=timezone.now()):
        log(request, row, _("Enabled.") if enabled else _("Disabled."))
    text = _("%(name)s is enabled. Waiting notifications are sent now.") if enabled else _("%(name)s is disabled.")
    messages.success(request, text % {"name": row.name})
    return redirect(row)


@post_view("alerts.delete_channel")
def channel_delete(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.channel_by_slug(slug)
    services.delete(channel=row, now=timezone.now())
    log(request, row, _("Deleted."), deleted=True)
    undoable(request, _("%(name)s is deleted.") % {"name": row.name}, "alerts:channel-undo", slug)
    return redirect("alerts:channels")


@post_view("alerts.delete_channel")
def channel_undo(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a deletion back, for a day."""
    row = queries.any_channel_by_slug(slug)
    if services.undelete(channel=row, now=timezone.now()):
        log(request, row, _("Deletion undone."))
        messages.success(request, _("%(name)s is restored.") % {"name": row.name})
        return redirect(row)
    messages.warning(request, _("Nothing was changed: it was deleted too long ago, or never."))
    return redirect("alerts:channels")
