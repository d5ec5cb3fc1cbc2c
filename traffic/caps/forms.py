"""Forms of caps, and of what holds for all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from traffic.caps.services import checked_amount
from traffic.models import CapPeriod, QuotaUnit, Task


class CapForm(forms.Form):
    """A cap of a key."""

    unit = forms.ChoiceField(choices=QuotaUnit.choices, label=_("The cap counts"))
    amount = forms.DecimalField(
        label=_("Limit"),
        help_text=_("Calls that could exceed it are answered with 429. A limit that exists is replaced."),
    )
    period = forms.ChoiceField(choices=CapPeriod.choices, initial=CapPeriod.DAY, label=_("In each"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        amount: Decimal | None = cleaned.get("amount")
        if amount is not None and "unit" in cleaned:
            try:
                cleaned["amount"] = checked_amount(cleaned["unit"], amount)
            except ValueError as error:
                self.add_error("amount", str(error))
        return cleaned


class ApplicationCapForm(CapForm):
    """A cap of an application."""

    task = forms.ChoiceField(
        required=False,
        choices=(("", _("all tasks")), *Task.choices),
        label=_("For calls of"),
        help_text=_("As calls name the task. Without a name the task is other, or guessed."),
    )
    each_user = forms.BooleanField(
        required=False,
        label=_("For each end user separately"),
        help_text=_("As calls name the user. Calls without a user share one counter."),
    )


class CapSettingsForm(forms.Form):
    """What holds for all caps."""

    zone = forms.ChoiceField(
        label=_("Days begin at midnight in"), help_text=_("Weeks and months too. A change begins new windows.")
    )
    refuse = forms.TypedChoiceField(
        label=_("While Valkey is down"),
        choices=((False, _("let calls through, and count them later")), (True, _("refuse calls that have a cap"))),
        coerce=lambda value: value in (True, "True"),
        help_text=_("Calls without a cap are not affected. An alert is sent in either case."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [(name, name) for name in ["UTC", *sorted(available_timezones() - {"UTC", "localtime"})]]
