"""The form of a repricing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from traffic.repricing.services import RepricingScope, requests_of


class RepricingForm(forms.Form):
    """Which requests to cost anew, and why; the last day is one of them."""

    since = forms.DateField(label=_("First day (UTC)"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    until = forms.DateField(label=_("Last day (UTC)"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    provider = forms.CharField(
        label=_("Provider"), max_length=40, required=False, help_text=_("Empty: all."),
        widget=forms.TextInput({"list": "providers"}),
    )  # fmt: skip
    model = forms.CharField(
        label=_("Model"), max_length=200, required=False, help_text=_("The name in its requests. Empty: all."),
    )  # fmt: skip
    why = forms.CharField(
        label=_("Reason"), max_length=300, help_text=_("For the audit log: what was wrong with the prices before?"),
        error_messages={"required": _("Enter a reason for the audit log.")},
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day is before the first."))
        elif not self.errors and not requests_of(self.scope()):
            self.add_error("model" if cleaned["model"] else "since", _("No stored requests on these days."))
        return cleaned

    def scope(self) -> RepricingScope:
        """What was asked for. Only after `is_valid`."""
        cleaned = self.cleaned_data
        until = cleaned["until"] + timedelta(days=1)
        return RepricingScope(
            cleaned["since"], until, cleaned["provider"].strip(), cleaned["model"].strip(), cleaned["why"].strip()
        )
