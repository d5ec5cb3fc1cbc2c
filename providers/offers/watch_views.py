"""What offers do we wait for, and are they there?"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, get_view, post_view, undoable
from lib.soft_delete import soft_delete, undelete
from providers import offers
from providers.audit.log import changes, log, log_form
from providers.models import OfferWatch
from providers.offers.forms import OfferWatchForm
from providers.offers.page import WatchesPage, WatchPage
from providers.offers.watches import deleted_watch_or_404, save_watch, stored_watch, watch_now, watch_or_404

PREFILLED = ("gpu", "kind", "provider", "region", "reliability", "price")  # what a link to the form may fill in


@get_view("providers.view_offerwatch")
def watches(request: HttpRequest) -> HttpResponse:
    rows = offers.all_watches_now(timezone.now())
    rows.sort(key=lambda row: (not row.below, not row.unsure, row.watch.gpu, row.watch.price))
    context = {"page": WatchesPage(rows), "watches": rows, "json_url": "/api/v1/offers/watches"}
    return render(request, "providers/offers/offer_watches.html", context)


@form_view("providers.add_offerwatch")
def add(request: HttpRequest) -> HttpResponse:
    """A row of the explorer leads here with its GPU, kind and price."""
    return edited(request, OfferWatch(), {name: request.GET[name] for name in PREFILLED if name in request.GET})


@form_view("providers.view_offerwatch")
def watch(request: HttpRequest, pk: int) -> HttpResponse:
    """One watch with what is cheapest now; whoever may change it gets the form."""
    row = watch_or_404(pk)
    if not request.user.has_perm("providers.change_offerwatch"):
        if request.method == "POST":
            return render(request, "403.html", status=403)
        return shown(request, row, None)
    return edited(request, row, {})


def edited(request: HttpRequest, row: OfferWatch, prefilled: dict[str, str]) -> HttpResponse:
    added, market = row.pk is None, offers.facets()
    form = OfferWatchForm(
        form_data(request),
        instance=row,
        initial=prefilled,
        gpus={facet.gpu for facet in market},
        providers={facet.provider for facet in market},
    )
    if request.method != "POST" or not form.is_valid():
        as_stored = row if added else stored_watch(row)
        return shown(request, as_stored, form, status=422 if form.errors else 200)
    filled = form.filled()
    save_watch(watch=filled)
    log_form(request, filled, form, added=added)
    messages.success(request, _("You are notified when %(what)s is offered below the price.") % {"what": filled})
    return redirect("providers:offer-watches")


def shown(request: HttpRequest, row: OfferWatch, form: OfferWatchForm | None, status: int = 200) -> HttpResponse:
    stored = not row._state.adding
    now = watch_now(row, timezone.now()) if stored else None
    context = {
        "page": WatchPage(now),
        "watch": row if stored else None,
        "now": now,
        "form": form,
        "log": changes(row) if stored and form else [],
    }
    return render(request, "providers/offers/offer_watch.html", context, status=status)


@post_view("providers.change_offerwatch")
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Nobody is told any more; the toast brings it back."""
    row = watch_or_404(pk)
    soft_delete(row=row, now=timezone.now())
    log(request, row, _("Deleted."), deleted=True)
    undoable(request, _("%(what)s is no longer watched.") % {"what": row}, "providers:offer-watch-undo", row.pk)
    return redirect("providers:offer-watches")


@post_view("providers.change_offerwatch")
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    row = deleted_watch_or_404(pk)
    undelete(row=row)
    log(request, row, _("Restored."))
    messages.success(request, _("%(what)s is watched again.") % {"what": row})
    return redirect("providers:offer-watches")
