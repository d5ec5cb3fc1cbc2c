"""Settings: the keys by which programs call us. A secret is shown once, when it is made."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from providers.audit_log import log
from traffic.forms import KeyForm
from traffic.keys import callers, create_key
from traffic.models import Application, Key


@login_required
@permission_required("traffic.view_key", raise_exception=True)
@require_safe
def key_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    keys = list(Key.objects.select_related("application", "created_by"))
    live = [key for key in keys if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)]
    used = [key for key in live if key.last_used_at is not None]
    latest = max((key.last_used_at for key in used if key.last_used_at), default=None)
    ordered = sorted(keys, key=lambda key: (key not in live, key.application.slug if key.application else "", key.name))
    context = {"keys": ordered, "live": live, "used": len(used), "latest": latest, "now": now}
    return render(request, "traffic/keys.html", context)


@login_required
@permission_required("traffic.add_key", raise_exception=True)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def key_add(request: HttpRequest) -> HttpResponse:
    """The answer of the form holds the secret, this once: it is not stored, so no page can show it again."""
    asked = Application.objects.filter(slug=request.GET.get("application", "")).first()
    form = KeyForm(request.POST or None, initial={"application": asked})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        key, secret = create_key(
            name=given["name"],
            scopes=given["scopes"],
            application=given["application"],
            created_by=request.user,
            expires_at=given["expires_on"],
        )
        log(request, key, [{"added": {}}], added=True)
        callers.clear()
        return render(request, "traffic/key_made.html", {"key": key, "secret": secret})
    return render(request, "traffic/key_add.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@permission_required("traffic.change_key", raise_exception=True)
@require_POST
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a key for good; every process has noticed within five seconds."""
    key = get_object_or_404(Key, pk=pk)
    if Key.objects.live().filter(pk=pk).update(revoked_at=timezone.now()):
        log(request, key, _("Revoked."))
        callers.clear()
    messages.success(request, _("%(name)s is revoked; within five seconds nothing accepts it.") % {"name": key.name})
    return redirect("traffic:keys")
