"""Settings: the keys by which programs call us. A secret is shown once, when it is made."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from lib.http import form_view, get_view, post_view
from providers.audit.log import changes, log, log_form
from traffic.applications import queries, services
from traffic.applications.forms import KeyForm, KeyLimitsForm, RotateForm
from traffic.applications.page import KeyRow, key_rows, keys_headline
from traffic.authentication.keys import FOR_ALL, callers, create_key, rotate_key, use_by_line, used_of
from traffic.caps.page import cap_rows
from traffic.caps.queries import caps_of_key
from traffic.clients.page import can_send, first_request, ways_in
from traffic.models import Key


@get_view("traffic.view_key")
def key_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    rows = sorted(
        key_rows(queries.list_keys(), now),
        key=lambda row: (not row.works, row.it.application.slug if row.it.application else "", row.it.name),
    )
    latest = max((row.it.last_used_at for row in rows if row.works and row.it.last_used_at), default=None)
    context = {"keys": rows, "headline": keys_headline(rows), "latest": latest}
    return render(request, "traffic/applications/keys.html", context)


@form_view("traffic.add_key")
@never_cache
def key_add(request: HttpRequest) -> HttpResponse:
    """The answer of the form holds the secret, this once: it is not stored, so no page can show it again."""
    application = queries.find_application(request.GET.get("application", ""))
    for_all = request.user.has_perm(FOR_ALL)
    form = KeyForm(request.POST or None, initial={"application": application}, for_all=for_all)
    if request.method == "POST" and form.is_valid():
        cleaned = form.cleaned_data
        key, secret = create_key(
            name=cleaned["name"],
            scopes=cleaned["scopes"],
            application=cleaned["application"],
            created_by=request.user,
            expires_at=cleaned["expires_on"],
            **form.limits,
        )
        log(request, key, added=True)
        callers.clear()
        return render_made(request, key, secret)
    return render(request, "traffic/applications/key_add.html", {"form": form}, status=422 if form.errors else 200)


@form_view("traffic.change_key")
def key_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """What came in with a key, its limits, and how to replace it."""
    key = queries.get_key(pk)
    if request.method == "POST":
        refuse_installation_keys(request, key)
    form = KeyLimitsForm(request.POST if request.method == "POST" else None, instance=key)
    if request.method == "POST" and form.is_valid():
        services.change_limits(form)
        log_form(request, key, form)
        messages.success(request, _("Saved. It is active within five seconds."))
        return redirect("traffic:key", pk)
    if form.errors:
        key = queries.get_key(pk)  # without what the form wrote into it
    now = timezone.now()
    use = use_by_line([key], now)[key.line]
    stored, used = (used_of(use, key.quota_period, now, estimated=estimated) for estimated in (False, True))
    context = {
        "it": key,
        "page": KeyRow(key, now, used, stored, queries.successor_of(key)),
        "form": form,
        "rotate": RotateForm(),
        "snippets": ways_in(scopes=key.scopes),
        "first": first_request(key, now) if can_send(key.scopes) else None,
        "caps": cap_rows(caps_of_key(key, now)),
        "log": changes(key),
    }
    return render(request, "traffic/applications/key.html", context, status=422 if form.errors else 200)


@get_view("traffic.view_key")
def key_first_request(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether a request has come with the key; a part for the pages of the key, and a page of its own."""
    context = {"first": first_request(queries.get_key(pk), timezone.now())}
    return render(request, "traffic/clients/first_request.html", context)


@post_view("traffic.add_key")
@never_cache
def key_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """A new key now, and the old one works on for a while; the answer holds the new secret, this once."""
    key = queries.get_key(pk)
    refuse_installation_keys(request, key)
    form = RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose when the old key ends."))
        return redirect("traffic:key", pk)
    overlap = timedelta(hours=form.cleaned_data["hours"])
    try:
        made, secret = rotate_key(key=key, overlap=overlap, now=timezone.now(), by=request.user)
    except ValueError:
        messages.error(request, _("This key is not valid any more. Create a new one."))
        return redirect("traffic:key", pk)
    key = queries.get_key(pk)  # it stops now, or after the overlap
    log(request, key, _("Replaced by a new key."))
    log(request, made, added=True)
    callers.clear()
    return render_made(request, made, secret, old=key)


def render_made(request: HttpRequest, key: Key, secret: str, old: Key | None = None) -> HttpResponse:
    """The page that shows a secret, this once, with the lines that use it and whether its first request has come."""
    context = {
        "key": key,
        "secret": secret,
        "old": old,
        "snippets": ways_in(secret, key.scopes),
        "first": first_request(key, timezone.now()) if can_send(key.scopes) else None,
    }
    return render(request, "traffic/applications/key_made.html", context)


def refuse_installation_keys(request: HttpRequest, key: Key) -> None:
    """Raises PermissionDenied for a key of the whole installation where the person may make none."""
    if key.application_id is None and not request.user.has_perm(FOR_ALL):
        raise PermissionDenied(_("Only an admin makes or changes keys for the whole installation."))


@post_view("traffic.change_key")
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a key for good; every process has noticed within five seconds."""
    key = queries.get_key(pk)
    if services.revoke_key(pk, now=timezone.now()):
        log(request, key, _("Revoked."))
    messages.success(request, _("%(name)s is revoked. It stops working within five seconds.") % {"name": key.name})
    return redirect("traffic:keys")
