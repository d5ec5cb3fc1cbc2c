"""What offers do we wait for, and are they there?"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lib.http import form_data
from providers import offers
from providers.accounts import services
from providers.audit.log import changes, log, log_form
from providers.models import OfferWatch
from providers.offers import WatchNow
from providers.offers.forms import OfferWatchForm

ASKED = ("gpu", "kind", "provider", "region", "reliability", "price")  # what a link to the form may fill in


@login_required
@permission_required("providers.view_offerwatch", raise_exception=True)
@require_safe
def watches(request: HttpRequest) -> HttpResponse:
    found = now_of(list(OfferWatch.objects.not_deleted()))
    found.sort(key=lambda one: (not one.below, not one.unsure, one.watch.gpu, one.watch.price))
    context = {"watches": found, "below": [one for one in found if one.below], "json_url": "/api/v1/offers/watches"}
    return render(request, "providers/offers/offer_watches.html", context)


def now_of(found: list[OfferWatch]) -> list[WatchNow]:
    now = timezone.now()
    return offers.watches_now(found, offers.fresh_of(offers.sources(now)), now)


@login_required
@permission_required("providers.add_offerwatch", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A row of the explorer leads here with its GPU, kind and price."""
    return edited(request, OfferWatch(), {name: request.GET[name] for name in ASKED if name in request.GET})


@login_required
@permission_required("providers.view_offerwatch", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def watch(request: HttpRequest, pk: int) -> HttpResponse:
    """One watch with what is cheapest now; whoever may change it gets the form."""
    found = get_object_or_404(OfferWatch.objects.not_deleted(), pk=pk)
    if not request.user.has_perm("providers.change_offerwatch"):
        if request.method == "POST":
            return render(request, "403.html", status=403)
        return shown(request, found, None)
    return edited(request, found, {})


def edited(request: HttpRequest, found: OfferWatch, asked: dict[str, str]) -> HttpResponse:
    added, market = found.pk is None, offers.facets()
    form = OfferWatchForm(
        form_data(request),
        instance=found,
        initial=asked,
        gpus={facet.gpu for facet in market},
        providers={facet.provider for facet in market},
    )
    if request.method != "POST" or not form.is_valid():
        as_stored = found if added else OfferWatch.objects.get(pk=found.pk)
        return shown(request, as_stored, form, status=422 if form.errors else 200)
    filled = form.filled()
    filled.save()
    log_form(request, filled, form, added=added)
    messages.success(request, _("A mail is sent when %(what)s is offered below the price.") % {"what": filled})
    return redirect("providers:offer-watches")


def shown(request: HttpRequest, found: OfferWatch, form: OfferWatchForm | None, status: int = 200) -> HttpResponse:
    stored = not found._state.adding
    context: dict[str, Any] = {
        "watch": found if stored else None,
        "now": now_of([found])[0] if stored else None,
        "form": form,
        "log": changes(found) if stored and form else [],
    }
    return render(request, "providers/offers/offer_watch.html", context, status=status)


@login_required
@permission_required("providers.change_offerwatch", raise_exception=True)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Nobody is told any more; the toast brings it back."""
    found = get_object_or_404(OfferWatch.objects.not_deleted(), pk=pk)
    services.delete_for_now(thing=found, now=timezone.now())
    log(request, found, _("Deleted."), deleted=True)
    undo = f"undo:{reverse('providers:offer-watch-undo', args=[found.pk])}"
    messages.success(request, _("Nobody waits for %(what)s now.") % {"what": found}, extra_tags=undo)
    return redirect("providers:offer-watches")


@login_required
@permission_required("providers.change_offerwatch", raise_exception=True)
@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(OfferWatch, pk=pk)
    services.bring_back(thing=found, now=timezone.now())
    log(request, found, _("Brought back."))
    messages.success(request, _("%(what)s is watched again.") % {"what": found})
    return redirect("providers:offer-watches")
