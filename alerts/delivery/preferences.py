"""The form in which people say how they want to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.digests.periods import MAY_SEE, chosen
from alerts.models import Preference, ReportKind

if TYPE_CHECKING:
    PreferenceModelForm = forms.ModelForm[Preference]
else:  # takes no parameter at run time
    PreferenceModelForm = forms.ModelForm


def clock() -> forms.TimeInput:
    return forms.TimeInput(format="%H:%M", attrs={"type": "time"})


class PreferenceForm(PreferenceModelForm):
    """One person's wishes."""

    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=lambda: known_languages())
    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=60,
        help_text=gettext_lazy(
            "For example Europe/Berlin, America/New_York or UTC. Used for times on pages and in mails."
        ),
    )

    reports = forms.MultipleChoiceField(
        label=gettext_lazy("Scheduled mails"),
        choices=ReportKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Sent at the hour below. Days and months are UTC, as vendors bill."),
    )

    class Meta:
        model = Preference
        fields = ["least", "quiet_from", "quiet_until", "digest", "reports", "digest_at", "timezone", "language"]
        labels = {
            "least": gettext_lazy("Notify me from"),
            "quiet_from": gettext_lazy("Quiet hours from"),
            "quiet_until": gettext_lazy("Quiet hours until"),
            "digest": gettext_lazy("Daily digest of alerts"),
            "digest_at": gettext_lazy("Digest hour"),
        }
        help_texts = {
            "least": gettext_lazy("Less severe alerts are not mailed. They are on the Alerts page."),
            "quiet_from": gettext_lazy("Alerts that are not critical wait until the end, then arrive in one mail."),
            "quiet_until": gettext_lazy("May be the next morning."),
        }
        widgets = {"quiet_from": clock(), "quiet_until": clock(), "digest_at": clock()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        person = self.instance.person
        if person.has_perm(MAY_SEE):
            self.initial["reports"] = chosen(person, self.instance)
        else:
            del self.fields["reports"]
        if len(known_languages()) == 1:
            del self.fields["language"]

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"].strip().replace(" ", "_")
        zone_name = {zone.lower(): zone for zone in available_timezones()}.get(name.lower())
        if zone_name is None:
            raise forms.ValidationError(_("There is no time zone of this name. Use a name like Europe/Berlin."))
        return zone_name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("quiet_from")) != bool(cleaned.get("quiet_until")):
            self.add_error("quiet_until", _("Quiet hours need both a start and an end, or neither."))
        return cleaned


def known_languages() -> list[tuple[str, str]]:
    """Those that there are translations for."""
    names = dict(settings.LANGUAGES)
    there = {"en", *(path.parent.name for root in settings.LOCALE_PATHS for path in root.glob("*/LC_MESSAGES"))}
    return [(code, str(names.get(code, code))) for code in sorted(there)]
