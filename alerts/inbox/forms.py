"""Forms of the alerts' pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.inbox.queries import people_who_may_act
from alerts.kinds import KINDS
from alerts.lifecycle.silences import Matcher, read_labels
from alerts.models import Severity
from lib.forms import UtcDateTimeField
from lib.recurring_windows import first_span, wall
from lib.time_spans import Span
from providers.uptime.window_fields import AgainForm

HOURS = [
    (1, gettext_lazy("1 hour")),
    (2, gettext_lazy("2 hours")),
    (4, gettext_lazy("4 hours")),
    (8, gettext_lazy("8 hours")),
    (24, gettext_lazy("1 day")),
    (72, gettext_lazy("3 days")),
    (168, gettext_lazy("7 days")),
    (720, gettext_lazy("30 days")),
]
MAIL_HOURS = 24


class NoteForm(forms.Form):
    """Why, for whoever reads the timeline later."""

    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )


class RemarkForm(forms.Form):
    """What is worth remembering; an empty note is none."""

    note = forms.CharField(label=gettext_lazy("Note"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


class SnoozeForm(NoteForm):
    """Until when it can wait."""

    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS[:-1], coerce=int, initial=8)
    field_order = ("hours", "note")


class AssignForm(NoteForm):
    """Whose it is; nobody is told who has no e-mail address."""

    to = forms.ModelChoiceField(
        label=gettext_lazy("To"),
        queryset=get_user_model()._default_manager.none(),
        required=False,
        empty_label=gettext_lazy("nobody"),
    )
    field_order = ("to", "note")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["to"].queryset = people_who_may_act()  # type: ignore[attr-defined]  # a model choice field


class MatcherForm(AgainForm):
    """A silence, by what it matches; at least one part must be given."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)
    subject = forms.CharField(
        label=gettext_lazy("Subject"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "deployment:mistral-*", "spellcheck": "false"}),
        help_text=gettext_lazy("as the alert’s page shows it; * stands for anything"),
    )
    severity = forms.ChoiceField(label=gettext_lazy("Severity"), required=False)
    labels = forms.CharField(
        label=gettext_lazy("Labels"),
        max_length=400,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "provider:vast model:mistral-7b", "spellcheck": "false"}),
        help_text=gettext_lazy("each of them must fit"),
    )
    starts_at = UtcDateTimeField(  # `between` reads the clock alone
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("empty: now"),
    )
    field_order = (
        "kind",
        "subject",
        "severity",
        "labels",
        "starts_at",
        "hours",
        "zone",
        "repeats",
        "repeats_until",
        "reason",
    )
    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS, coerce=int, initial=24)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        kinds = [(name, _(kind.label)) for name, kind in KINDS.items()]
        self.fields["kind"].choices = [("", _("any")), *kinds]  # type: ignore[attr-defined]  # a choice field
        self.fields["severity"].choices = [("", _("any")), *Severity.choices]  # type: ignore[attr-defined]  # as above

    def clean_labels(self) -> dict[str, str]:
        try:
            return read_labels(self.cleaned_data["labels"])
        except ValueError as error:
            raise forms.ValidationError(
                _("“%(part)s” is no label; write name:value, like provider:vast.") % {"part": error}
            ) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not any(data.get(name) for name in ("kind", "subject", "severity", "labels")):
            self.add_error(
                "kind",
                _("Fill in at least one of kind, subject, severity and labels. Everything at once cannot be silenced."),
            )
        if not self.errors:
            data["span"] = self._first(data)
            data["last"] = self.check_again(data["span"])
            if data["span"].end <= timezone.now() and not data.get("repeats"):
                self.add_error("starts_at", _("That is over already; choose a later time."))
        return data

    def _first(self, data: dict[str, Any]) -> Span:
        """From its beginning, or now; what comes again lasts by the clock, what comes once by the hour."""
        lasts, now = timedelta(hours=data["hours"]), timezone.now()
        zone = ZoneInfo(data["zone"])
        if data["starts_at"]:
            first = self.between(data["starts_at"], data["starts_at"] + lasts)
            begins = first.start
        else:
            start, begins = wall(now, zone), now
            first = first_span(start, start + lasts, zone)
        return Span(begins, first.end if data["repeats"] else begins + lasts)

    @property
    def matcher(self) -> Matcher:
        """Of a valid form."""
        return Matcher(*(self.cleaned_data[name] for name in ("kind", "subject", "severity", "labels")))


class SilenceForm(forms.Form):
    """For how long, and why."""

    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS, coerce=int, initial=24)
    whole_kind = forms.BooleanField(
        label=gettext_lazy("every alert of this kind, not only this subject"), required=False
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def narrow(self) -> None:
        """What the link of a mail may, which whoever reads the mail can use: this one alert, and a day at most."""
        del self.fields["whole_kind"]
        self.fields["hours"].choices = [(n, label) for n, label in HOURS if n <= MAIL_HOURS]  # type: ignore[attr-defined]  # a choice field
