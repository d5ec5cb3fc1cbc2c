"""What was sent to whom, and what the other side said."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from alerts.evaluation import services
from alerts.models import Address, Delivery, DeliveryState
from providers.audit.log import log

SHOWN = 50


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """The delivery log, newest first, by state, recipient and page."""
    state, to, before = (request.GET.get(name, "") for name in ("state", "to", "before"))
    asked = {"state": state if state in DeliveryState.values else "", "to": to[:254]}
    rows = Delivery.objects.filter(**{k: v for k, v in (("state", asked["state"]), ("recipient", asked["to"])) if v})
    total = rows.count()
    page = rows.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 18 else rows
    found = list(page.select_related("alert", "transition", "report").order_by("-pk")[: SHOWN + 1])
    counts = Delivery.objects.by_state()
    context = {
        "rows": found[:SHOWN],
        "total": total,
        "shown": len(found[:SHOWN]),
        "asked": asked,
        "states": [(value, label, value == asked["state"]) for value, label in DeliveryState.choices],
        "accepted": counts.get("accepted", 0) + counts.get("folded", 0),
        "trying": counts.get("failed", 0),
        "dead": counts.get("dead", 0),
        "all": sum(counts.values()),
        "first_url": address(**asked) if before else None,
        "next_url": address(**asked, before=found[SHOWN - 1].pk) if len(found) > SHOWN else None,
        "refused": list(Address.objects.filter(disabled_at__isnull=False).order_by("-disabled_at")),
        "may_act": request.user.has_perm("alerts.change_alert"),
    }
    return render(request, "alerts/delivery/deliveries.html", context)


@login_required
@permission_required("alerts.change_alert", raise_exception=True)
@require_POST
def address_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Mail goes to an address again that servers refused, with what was given up there."""
    found = get_object_or_404(Address, pk=pk)
    sent = services.retry_address(address_id=pk)
    if sent is None:
        messages.warning(request, _("Nothing was changed: mail goes to %(to)s already.") % {"to": found.address})
        return redirect("alerts:deliveries")
    log(request, found, _("Mail goes there again."))
    said = ngettext(
        "Mail goes to %(to)s again; %(n)s message that was given up leaves now.",
        "Mail goes to %(to)s again; %(n)s messages that were given up leave now.",
        sent,
    )
    messages.success(request, said % {"to": found.address, "n": sent})
    return redirect("alerts:deliveries")


def address(**asked: object) -> str:
    return "?" + urlencode({name: value for name, value in asked.items() if value})
