"""What does this lease cost, is it used, and how is it stopped?"""

from __future__ import annotations

from datetime import UTC

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from costs.spend import lease_page
from lib.http import get_view
from providers.accounts.freshness import account_now
from providers.audit.log import changes
from providers.leases.forms import IdleForm
from providers.leases.services import stop_way

SPANS_SHOWN = 40


@get_view("providers.view_lease")
def lease(request: HttpRequest, pk: int) -> HttpResponse:
    now = timezone.now()
    account = account_now(lease_page.account_of(pk), now)
    feed = account.feed("leases")
    old = frozenset({account.account.pk}) if feed is None or feed.old else frozenset[int]()
    row = lease_page.lease_now(pk, now, old)
    uses = lease_page.served(row, now)
    may_change = request.user.has_perm("providers.change_account")
    spans = lease_page.newest_spans(row.lease, SPANS_SHOWN + 1)
    page = lease_page.LeasePage(
        row=row,
        uses=uses,
        idle=lease_page.idle(row.lease, uses, now),
        way=stop_way(row.lease),
        states=lease_page.by_state(row.lease),
        spans=spans[:SPANS_SHOWN],
    )
    context = {
        "page": page,
        "lease": row.lease,
        "row": row,
        "billed": lease_page.billed(row.lease),
        "bars": lease_page.bars(row.lease, now.astimezone(UTC).date()),
        "more_spans": len(spans) > SPANS_SHOWN,
        "way": page.way,
        "idle_form": IdleForm(instance=row.lease) if may_change and row.active else None,
        "may_change": may_change,
        "log": changes(row.lease) if may_change else [],
        "json_url": "/api/v1/leases",
    }
    return render(request, "providers/lease.html", context)
