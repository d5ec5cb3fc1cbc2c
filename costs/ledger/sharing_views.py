"""By what the cost of a machine is shared, and what either choice does to a month."""

from __future__ import annotations

from datetime import date

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.dates import FIRST_DAY, month_asked, today
from costs.ledger import sharing_choices
from costs.models import Sharing
from lib.http import form_view
from lib.money import ZERO
from providers.audit import log as audit_log


class SharingForm(forms.Form):
    """By what machines are shared, from a month on."""

    by = forms.ChoiceField(label=gettext_lazy("Split GPU cost by"), choices=Sharing.By.choices)
    month = forms.CharField(
        label=gettext_lazy("From month"),
        max_length=7,
        widget=forms.TextInput(attrs={"type": "month", "placeholder": "2026-11"}),
        help_text=gettext_lazy("Earlier months do not change."),
        error_messages={"required": gettext_lazy("Enter the first month.")},
    )

    def clean_month(self) -> date:
        try:
            month = date.fromisoformat(f"{self.cleaned_data['month']}-01")
        except ValueError:
            raise forms.ValidationError(_("Write the month as 2026-11.")) from None
        if not month >= FIRST_DAY:
            raise forms.ValidationError(_("The first possible month is January 2020."))
        if month > today():
            raise forms.ValidationError(_("This month has not begun yet."))
        return month


@form_view("costs.view_charge")
def sharing(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and not request.user.has_perm("costs.add_charge"):
        raise PermissionDenied
    now = today()
    current = sharing_choices.current(now)
    initial = {"by": current, "month": f"{now:%Y-%m}"}
    form = SharingForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        return _saved(request, form.cleaned_data["month"], form.cleaned_data["by"])
    month = month_asked(request)
    rows = sharing_choices.compared(month)
    context = {
        "form": form,
        "current": current,
        "choices": sharing_choices.choices(),
        "month": month,
        "rows": rows,
        "answer": sharing_choices.headline(month, rows, str(Sharing.By(current).label)),
        "total": sum((row.tokens for row in rows), ZERO),
        "total_by_time": sum((row.time for row in rows), ZERO),
    }
    return render(request, "costs/ledger/sharing.html", context, status=422 if form.errors else 200)


def _saved(request: HttpRequest, month: date, by: str) -> HttpResponse:
    before = sharing_choices.current(month)
    choice = sharing_choices.choose(month, by, user_id=request.user.pk)
    message = _("from %(month)s by %(by)s, before that by %(before)s")
    message %= {"month": f"{month:%Y-%m}", "by": choice.get_by_display(), "before": Sharing.By(before).label}
    audit_log.log(request, choice, message)
    messages.success(request, _("GPU cost is split %(how)s.") % {"how": message})
    return redirect("costs:sharing")
