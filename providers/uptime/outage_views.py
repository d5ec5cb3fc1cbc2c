"""What happened in this outage, what did it cost, and what was learnt?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from lib.page_addresses import sent
from providers.audit.log import changes, log_form
from providers.models import Check, Outage
from providers.uptime.forms import OutageForm
from providers.uptime.outage_cost import cost_of

AROUND = timedelta(minutes=10)  # before its beginning and after its end
SHOWN = 12  # checks at the beginning, and as many at the end


@login_required
@permission_required("providers.view_outage", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def outage(request: HttpRequest, pk: int) -> HttpResponse:
    """One outage; whoever runs the machines writes its note, its public note and its post-mortem here."""
    found = get_object_or_404(Outage.objects.select_related("deployment__lease__account"), pk=pk)
    may_edit = request.user.has_perm("providers.change_outage")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    form = OutageForm(sent(request), instance=found) if may_edit else None
    if request.method == "POST" and form is not None and form.is_valid():
        form.save()
        log_form(request, found, form)
        messages.success(request, _("Saved."))
        return redirect("providers:outage", pk=pk)
    now = timezone.now()
    first, last = checks_around(found, now)
    context = {
        "outage": found,
        "deployment": found.deployment,
        "lasted": found.lasted(now),
        "to_confirm": found.confirmed_at - found.started_at,
        "cost": cost_of([found], now)[found.pk],
        "first": first,
        "last": last,
        "form": form,
        "log": changes(found) if may_edit else [],
    }
    return render(
        request, "providers/uptime/outage.html", context, status=422 if form is not None and form.errors else 200
    )


def checks_around(outage: Outage, now: datetime) -> tuple[Sequence[Check], Sequence[Check]]:
    """Checks at the beginning of an outage and, where those are others, at its end; in order of time."""
    begin = _checks(outage, outage.started_at - AROUND, outage.confirmed_at + AROUND)
    turn = max(before(begin, outage.started_at) - SHOWN // 3, 0)
    first = begin[turn : turn + SHOWN]
    if outage.ended_at is None:
        return first, []
    end = _checks(outage, outage.ended_at - AROUND, min(outage.ended_at + AROUND, now))
    turn = max(before(end, outage.ended_at) - SHOWN // 2, 0)
    shown = {check.at for check in first}
    return first, [check for check in end[turn : turn + SHOWN] if check.at not in shown]


def before(checks: Sequence[Check], moment: datetime) -> int:
    return sum(check.at < moment for check in checks)


def _checks(outage: Outage, start: datetime, end: datetime) -> list[Check]:
    """At most some hundreds: both ends lie within minutes; days name the partitions."""
    days = (start.astimezone(UTC).date(), end.astimezone(UTC).date())
    found = Check.objects.filter(deployment=outage.deployment_id, day__range=days, at__range=(start, end))
    return list(found.order_by("at")[:500])
