"""What was sent to whom, and what the other side said."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.delivery import queries, services
from alerts.delivery.page import DeliveriesPage
from alerts.mail.server import mail_problem
from alerts.models import DeliveryState
from lib.http import get_view, post_view
from providers.audit.log import log

SHOWN = 50


@get_view("alerts.view_alert")
def deliveries(request: HttpRequest) -> HttpResponse:
    """The delivery log, newest first, by state, recipient and page."""
    state, to, before = (request.GET.get(name, "") for name in ("state", "to", "before"))
    params = {"state": state if state in DeliveryState.values else "", "to": to[:254]}
    page = queries.delivery_page(
        state=params["state"],
        recipient=params["to"],
        before=int(before) if before.isdecimal() and len(before) < 18 else None,
        size=SHOWN,
    )
    refused = queries.refused_addresses()
    context = {
        "page": DeliveriesPage(queries.counts_by_state(), refused, **params),
        "rows": page.rows,
        "total": page.total,
        "shown": len(page.rows),
        "asked": params,
        "states": [(value, label, value == params["state"]) for value, label in DeliveryState.choices],
        "first_url": address(**params) if before else None,
        "next_url": address(**params, before=page.next_before) if page.next_before is not None else None,
        "refused": refused,
        "mail_problem": mail_problem(),
        "may_act": request.user.has_perm("alerts.change_alert"),
    }
    return render(request, "alerts/delivery/deliveries.html", context)


@post_view("alerts.change_alert")
def address_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Mail goes to an address again that servers refused, with what was given up there."""
    row = queries.address_by_key(pk)
    sent = services.retry_address(address_id=pk)
    if sent is None:
        messages.warning(request, _("Nothing was changed: mail to %(to)s is already enabled.") % {"to": row.address})
        return redirect("alerts:deliveries")
    log(request, row, _("Mail is enabled again."))
    text = ngettext(
        "Mail to %(to)s is enabled. %(n)s failed notification is sent now.",
        "Mail to %(to)s is enabled. %(n)s failed notifications are sent now.",
        sent,
    )
    messages.success(request, text % {"to": row.address, "n": sent})
    return redirect("alerts:deliveries")


def address(**params: object) -> str:
    return "?" + urlencode({name: value for name, value in params.items() if value})
