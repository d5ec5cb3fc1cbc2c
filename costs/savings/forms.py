"""The form of a decision about a finding."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy


class DismissForm(forms.Form):
    """The reason for dismissing a finding."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("It is shown again only after growth by 50 % and $5 a month."),
        error_messages={"required": gettext_lazy("Enter a reason. Other people will read it.")},
    )
