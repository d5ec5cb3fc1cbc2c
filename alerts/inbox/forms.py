"""Forms of the alerts' pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.inbox.queries import people_who_may_act
from alerts.kinds import KINDS
from alerts.lifecycle.silences import Matcher, read_labels
from alerts.models import Severity
from lib.formats import person
from lib.forms import UtcDateTimeField
from lib.recurring_windows import first_span, wall
from lib.time_spans import Span
from providers.models import Deployment
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
LONGEST = timedelta(days=366)  # of a silence with an end time
MATCHED = ("kind", "subject", "severity", "labels")


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
        empty_label=gettext_lazy("unassigned"),
    )
    field_order = ("to", "note")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        to = self.fields["to"]
        assert isinstance(to, forms.ModelChoiceField)
        to.queryset = people_who_may_act()
        to.label_from_instance = person  # type: ignore[method-assign,assignment]  # Django's documented hook


class MatcherForm(AgainForm):
    """A silence, by what it matches, at least one part of which must be given; or the maintenance of a deployment."""

    deployment = forms.ModelChoiceField(
        label=gettext_lazy("Maintenance of"),
        queryset=Deployment.objects.none(),
        required=False,
        to_field_name="slug",
        empty_label=gettext_lazy("none, only silence alerts"),
        help_text=gettext_lazy("Failures in it do not count as downtime. The next four fields must be blank."),
    )

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)
    subject = forms.CharField(
        label=gettext_lazy("Subject"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "deployment:mistral-*", "spellcheck": "false"}),
        help_text=gettext_lazy("As shown on the alert’s page. * matches anything."),
    )
    severity = forms.ChoiceField(label=gettext_lazy("Severity"), required=False)
    labels = forms.CharField(
        label=gettext_lazy("Labels"),
        max_length=400,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "provider:vast model:mistral-7b", "spellcheck": "false"}),
        help_text=gettext_lazy("All of them must match."),
    )
    starts_at = UtcDateTimeField(  # `between` reads the clock alone
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("Blank: now."),
    )
    ends_at = UtcDateTimeField(
        label=gettext_lazy("Or until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("An end time instead of the length."),
    )
    field_order = (
        "deployment",
        "kind",
        "subject",
        "severity",
        "labels",
        "starts_at",
        "hours",
        "ends_at",
        "zone",
        "repeats",
        "repeats_until",
        "reason",
    )
    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS, coerce=int, initial=24)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def __init__(self, *args: Any, may_plan: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        if may_plan:
            self.fields["deployment"].queryset = Deployment.objects.enabled()  # type: ignore[attr-defined]  # a model choice field
        else:
            del self.fields["deployment"]
        kinds = [(name, kind.name or capfirst(_(kind.label))) for name, kind in KINDS.items()]
        self.fields["kind"].choices = [("", _("any")), *kinds]  # type: ignore[attr-defined]  # a choice field
        self.fields["severity"].choices = [("", _("any")), *Severity.choices]  # type: ignore[attr-defined]  # as above

    def clean_labels(self) -> dict[str, str]:
        try:
            return read_labels(self.cleaned_data["labels"])
        except ValueError as error:
            raise forms.ValidationError(
                _("“%(part)s” is not a label. Write name:value, like provider:vast.") % {"part": error}
            ) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not {*MATCHED} & self.errors.keys() and not self.deployment_chosen and not self.matcher.words:
            self.add_error("kind", _("Fill in at least one of kind, subject, severity and labels."))
        if self.deployment_chosen and any(data.get(name) for name in MATCHED):
            self.add_error(
                "deployment", _("Maintenance is of its deployment. Leave kind, subject, severity and labels blank.")
            )
        if not self.errors:
            data["span"] = self._first(data)
            data["last"] = self.check_again(data["span"])
            if data["span"].end <= data["span"].start:
                self.add_error("ends_at", _("The end must be after the beginning. Choose a later end."))
            elif data["span"].end - data["span"].start > LONGEST:
                self.add_error("ends_at", _("A silence lasts a year at most. Choose an earlier end."))
            elif data["span"].end <= timezone.now() and not data.get("repeats"):
                self.add_error("starts_at", _("That time is over. Choose a later one."))
        return data

    def _first(self, data: dict[str, Any]) -> Span:
        """From its beginning, or now; what comes again lasts by the clock, what comes once by the hour. The end time
        replaces the length where both are set."""
        lasts, now, ends = timedelta(hours=data["hours"]), timezone.now(), data["ends_at"]
        zone = ZoneInfo(data["zone"])
        if data["starts_at"]:
            first = self.between(data["starts_at"], ends or data["starts_at"] + lasts)
            begins = first.start
        else:
            start, begins = wall(now, zone), now
            first = first_span(start, timezone.make_naive(ends, UTC) if ends else start + lasts, zone)
        return Span(begins, first.end if data["repeats"] or ends else begins + lasts)

    @property
    def deployment_chosen(self) -> Deployment | None:
        """The deployment whose maintenance it plans; None: it is a silence."""
        return self.cleaned_data.get("deployment")

    @property
    def matcher(self) -> Matcher:
        """Of a form whose fields in `MATCHED` are valid; of maintenance the alerts about its deployment being down."""
        if self.deployment_chosen:
            return Matcher(kind="outage", labels={"deployment": self.deployment_chosen.slug})
        return Matcher(*(self.cleaned_data[name] for name in MATCHED))

    @property
    def ends(self) -> datetime | None:
        """When it ends, the first time if it repeats; None while a field about its times is wrong."""
        if {"hours", "starts_at", "ends_at", "zone", "repeats"} & self.errors.keys():
            return None
        return self._first(self.cleaned_data).end

    @property
    def matcher_errors(self) -> list[str]:
        """What stands in the way of a preview, which needs no times and no reason."""
        return [str(error) for name in ("deployment", *MATCHED) for error in self.errors.get(name, ())]


class SilenceForm(forms.Form):
    """For how long, and why."""

    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS, coerce=int, initial=24)
    whole_kind = forms.BooleanField(label=gettext_lazy("All alerts of this kind, not only this one"), required=False)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def narrow(self) -> None:
        """What the link of a mail may, which whoever reads the mail can use: this one alert, and a day at most."""
        del self.fields["whole_kind"]
        self.fields["hours"].choices = [(n, label) for n, label in HOURS if n <= MAIL_HOURS]  # type: ignore[attr-defined]  # a choice field
