"""The form of the choice by what machines are shared."""

from __future__ import annotations

from datetime import date

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.dates import FIRST_DAY, today
from costs.models import Sharing


class SharingForm(forms.Form):
    """By what machines are shared, from a month on."""

    by = forms.ChoiceField(label=gettext_lazy("Share machines by"), choices=Sharing.By.choices)
    month = forms.CharField(
        label=gettext_lazy("From month"),
        max_length=7,
        widget=forms.TextInput(attrs={"type": "month", "placeholder": "2026-11"}),
        help_text=gettext_lazy("Months before it stay as they were stated."),
        error_messages={"required": gettext_lazy("Say from which month on.")},
    )

    def clean_month(self) -> date:
        try:
            month = date.fromisoformat(f"{self.cleaned_data['month']}-01")
        except ValueError:
            raise forms.ValidationError(_("Write the month as 2026-11.")) from None
        if not month >= FIRST_DAY:
            raise forms.ValidationError(_("Nothing is kept from before 2020."))
        if month > today():
            raise forms.ValidationError(_("This month has not begun yet."))
        return month
