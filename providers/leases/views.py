"""What do we rent and did we rent, when is one called idle, and how is it stopped?"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.errors import ApiError
from lib.http import form_data, form_view, get_view, page_url, post_view
from lib.paging import encode_cursor, in_order, known_sort, page_number
from providers.accounts.queries import accounts_now
from providers.audit.log import log, log_form
from providers.connectors.base import ConnectorError
from providers.leases.forms import IdleForm, LeaseFilterForm, StopForm
from providers.leases.page import SORTS, LeasesPage, StopPage
from providers.leases.queries import (
    accounts_with_old_leases,
    all_leases,
    figures_of,
    gpus_ever_rented,
    lease_figures,
    lease_or_404,
    leases_after,
    spent_on,
)
from providers.leases.services import StopWay, save_idle_minutes, stop_by_api, stop_way
from providers.models import Lease
from providers.models.leases import LeaseQuerySet

SHOWN = 30
SORTED_MOST = 1_000  # leases, the newest, whose figures are read to put them into another order
PAGE = "costs:lease"  # a lease's page joins requests and bills, which are read further right


@get_view("providers.view_lease")
def leases(request: HttpRequest) -> HttpResponse:
    """All of them, newest first or in the order that the address asks for."""
    now = timezone.now()
    accounts = accounts_now(now)
    names = [(account.account.slug, account.account.name) for account in accounts]
    form = LeaseFilterForm(request.GET, accounts=names, gpus=gpus_ever_rented())
    chosen = form.chosen(all_leases())
    old = accounts_with_old_leases(accounts)
    sort = known_sort(request.GET.get("sort"), SORTS)
    if sort:
        number = page_number(request.GET.get("page", ""))
        rows = in_order(lease_figures(chosen[:SORTED_MOST], now, old), SORTS, sort)[(number - 1) * SHOWN :]
        after: dict[str, object] = {"page": number + 1}
        first: dict[str, object] | None = {"page": None} if number > 1 else None
    else:
        rows = lease_figures(behind(chosen, request.GET.get("cursor"))[: SHOWN + 1], now, old)
        last = rows[:SHOWN][-1].lease if rows else None
        after = {"cursor": encode_cursor(last.started_at.isoformat(), last.pk) if last else None}
        first = {"cursor": None} if request.GET.get("cursor") else None
    more, rows = len(rows) > SHOWN, rows[:SHOWN]
    active = lease_figures(chosen.active(), now, old)
    page = LeasesPage(active, chosen.count(), spent_on(chosen), bool(form.wanted), SORTED_MOST if sort else 0)
    context = {
        "page": page,
        "form": form,
        "rows": rows,
        "total": page.total,
        "shown": len(rows),
        "next_url": page_url(request, **after) if more else None,
        "first_url": page_url(request, **first) if first else None,
        "json_url": "/api/v1/leases",
    }
    return render(request, "providers/leases/leases.html", context)


def behind(chosen: LeaseQuerySet, cursor: str | None) -> LeaseQuerySet:
    """What stands behind a cursor; from the top where it is none of ours."""
    try:
        return leases_after(chosen, cursor)
    except ApiError:
        return chosen


@post_view("providers.change_account")
def idle(request: HttpRequest, pk: int) -> HttpResponse:
    """Set after how many minutes without a request it is called idle."""
    lease = lease_or_404(pk)
    form = IdleForm(request.POST, instance=lease)
    if form.is_valid():
        save_idle_minutes(lease=lease)
        log_form(request, lease, form)
        messages.success(request, _("The idle time of %(lease)s is saved.") % {"lease": lease})
    else:
        messages.error(request, " ".join(map(str, form.errors["idle_minutes"])))
    return redirect(PAGE, pk=pk)


@form_view("providers.change_account")
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """What would be called and what is lost; the call itself once a person has typed the name."""
    lease = lease_or_404(pk)
    way = stop_way(lease)
    form = StopForm(form_data(request), lease=lease)
    dry = request.POST.get("action") == "dry"
    if request.method != "POST" or dry or way is None or way.barred or not form.is_valid():
        return confirmation(request, lease, way, StopForm(None, lease=lease) if dry else form, dry=dry)
    try:
        sentence = stop_by_api(lease=lease, way=way)
    except ConnectorError as error:
        log(request, lease, _("Stopping by API failed: %(why)s") % {"why": error.message})
        return confirmation(request, lease, way, form, failed=error.message)
    log(request, lease, _("Stopped by API: %(call)s") % {"call": way.call.line if way.call else ""})
    messages.success(request, sentence + " " + _("The next poll shows the result."))
    return redirect(PAGE, pk=pk)


def confirmation(
    request: HttpRequest, lease: Lease, way: StopWay | None, form: StopForm, *, dry: bool = False, failed: str = ""
) -> HttpResponse:
    """The page that asks once more."""
    context = {
        "page": StopPage(lease, way, dry, failed),
        "lease": lease,
        "row": figures_of(lease, timezone.now()),
        "way": way,
        "form": form,
    }
    refused = form.is_bound and not form.is_valid() and not dry
    return render(request, "providers/leases/lease_stop.html", context, status=422 if refused or failed else 200)
