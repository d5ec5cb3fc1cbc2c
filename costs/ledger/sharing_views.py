"""By what the cost of a machine is shared, and what either choice does to a month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from costs.charges.forms import today
from costs.charges.ledger_forms import SharingForm
from costs.ledger.lease_shares import lease_shares, shared_by
from costs.models import Sharing
from costs.spend.months import month_asked
from costs.spend.queries import ZERO, counting_charges, leased, share_of
from lib.periods import next_month
from providers.audit import log as audit_log
from traffic.models import Application


@dataclass
class Compared:
    """One application's part of the machines, or what nobody used, by each choice."""

    name: str
    idle: bool = False
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    @property
    def tokens(self) -> Decimal:
        return self.amounts[Sharing.By.TOKENS]

    @property
    def time(self) -> Decimal:
        return self.amounts[Sharing.By.TIME]

    @property
    def change(self) -> Decimal:
        return self.time - self.tokens


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def sharing(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and not request.user.has_perm("costs.add_charge"):
        raise PermissionDenied
    now = today()
    current = shared_by(now, Sharing.objects.spans())
    initial = {"by": current, "month": f"{now:%Y-%m}"}
    form = SharingForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        return _saved(request, form.cleaned_data["month"], form.cleaned_data["by"])
    month = month_asked(request)
    rows = compared(month)
    context = {
        "form": form,
        "current": current,
        "current_name": Sharing.By(current).label,
        "choices": Sharing.objects.select_related("set_by"),
        "month": month,
        "rows": rows,
        "idle": next((row for row in rows if row.idle), None),
        "total": sum((row.tokens for row in rows), ZERO),
        "total_by_time": sum((row.time for row in rows), ZERO),
    }
    return render(request, "costs/ledger/sharing.html", context, status=422 if form.errors else 200)


def _saved(request: HttpRequest, month: date, by: str) -> HttpResponse:
    before = shared_by(month, Sharing.objects.spans())
    choice, _made = Sharing.objects.update_or_create(starts_on=month, defaults={"by": by, "set_by_id": request.user.pk})
    message = _("from %(month)s on by %(by)s, before by %(before)s")
    message %= {"month": f"{month:%Y-%m}", "by": choice.get_by_display(), "before": Sharing.By(before).label}
    audit_log.log(request, choice, message)
    messages.success(request, _("Machines are shared %(how)s.") % {"how": message})
    return redirect("costs:sharing")


def compared(month: date) -> list[Compared]:
    """The month's machines by tokens and by time; both add up to the same total, what nobody used stands last."""
    machines = leased(counting_charges(month, next_month(month))[0])
    names = dict(Application.objects.values_list("pk", "name"))
    rows: dict[tuple[bool, int], Compared] = {}
    for by in Sharing.By.values:
        for row in lease_shares(machines, by):
            line = share_of(row)
            who = line.attribution.application_id
            name = _("Idle") if line.idle else names.get(who, _("Requests of no application"))
            rows.setdefault((line.idle, who), Compared(name, line.idle)).amounts[by] += line.amount
    return sorted(rows.values(), key=lambda row: (row.idle, -row.tokens, row.name))
