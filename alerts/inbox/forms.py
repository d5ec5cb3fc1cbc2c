"""Forms of the alerts' pages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.evaluation.silences import Matcher, read_labels
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Threshold
from alerts.models import Channel, Rule, Severity
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
        self.fields["to"].queryset = may_act()  # type: ignore[attr-defined]  # a model choice field


def may_act() -> Any:
    """People who can do something about an alert."""
    people = get_user_model()._default_manager.filter(is_active=True)
    permission = Q(groups__permissions__codename="change_alert") | Q(user_permissions__codename="change_alert")
    return people.filter(permission | Q(is_superuser=True)).distinct().order_by("username")


class MatcherForm(AgainForm):
    """A silence or a maintenance window, by what it matches; at least one part must be given."""

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
    starts_at = forms.DateTimeField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("empty: now; later: a maintenance window"),
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
        given = super().clean() or {}
        if not self.errors and not any(given.get(name) for name in ("kind", "subject", "severity", "labels")):
            self.add_error("kind", _("Say what to silence; everything at once would hide what matters."))
        if not self.errors:
            given["span"] = self._first(given)
            given["last"] = self.check_again(given["span"])
            if given["span"].end <= timezone.now() and not given.get("repeats"):
                self.add_error("starts_at", _("That is over already; choose a later time."))
        return given

    def _first(self, given: dict[str, Any]) -> Span:
        """From its beginning, or now; what comes again lasts by the clock, what comes once by the hour."""
        lasts, now = timedelta(hours=given["hours"]), timezone.now()
        zone = ZoneInfo(given["zone"])
        if given["starts_at"]:
            first = self.between(given["starts_at"], given["starts_at"] + lasts)
            begins = first.start
        else:
            start, begins = wall(now, zone), now
            first = first_span(start, start + lasts, zone)
        return Span(begins, first.end if given["repeats"] else begins + lasts)

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


class ThresholdField(forms.CharField):
    """A number of a rule, or several of them with commas."""

    def __init__(self, threshold: Threshold, **options: Any) -> None:
        self.threshold = threshold
        super().__init__(label=_(threshold.label), help_text=_(threshold.unit), max_length=100, **options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            read = self.threshold.read(text)
        except BadThreshold as error:
            raise forms.ValidationError(str(error)) from None
        return [plain(one) for one in read] if isinstance(read, list) else plain(read)


def plain(number: Decimal) -> int | float:
    """As JSON keeps it."""
    return int(number) if number == number.to_integral_value() else float(number)


if TYPE_CHECKING:
    RuleModelForm = forms.ModelForm[Rule]
else:
    RuleModelForm = forms.ModelForm  # takes no parameter at run time


LONGEST_S = 366 * 86_400  # a year; who waits for longer wants no alert


class RuleForm(RuleModelForm):
    """A rule with the numbers that its kind needs."""

    escalate_groups = forms.MultipleChoiceField(
        label=gettext_lazy("The others"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("groups; none chosen: admins"),
    )

    class Meta:
        model = Rule
        fields = [
            "name",
            "enabled",
            "severity",
            "for_s",
            "clear_for_s",
            "escalate_s",
            "escalate_groups",
            "remind_s",
            "recipients",
            "channels",
        ]
        labels = {
            "name": gettext_lazy("Name"),
            "enabled": gettext_lazy("Switched on"),
            "severity": gettext_lazy("Severity"),
            "for_s": gettext_lazy("Opens after"),
            "clear_for_s": gettext_lazy("Resolved after"),
            "escalate_s": gettext_lazy("Told to others too after"),
            "remind_s": gettext_lazy("Said again every"),
            "recipients": gettext_lazy("Tell"),
            "channels": gettext_lazy("And these channels"),
        }
        help_texts = {
            "for_s": gettext_lazy("seconds that the line must be crossed without a break"),
            "clear_for_s": gettext_lazy("seconds that it must be clear of it"),
            "escalate_s": gettext_lazy("seconds without an acknowledgement; empty: never"),
            "remind_s": gettext_lazy("seconds while it is open; empty: once is enough"),
            "recipients": gettext_lazy("people with an e-mail address; nobody chosen: the groups of this kind"),
        }
        widgets = {"recipients": forms.CheckboxSelectMultiple, "channels": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["severity"].choices = Severity.choices  # type: ignore[attr-defined]  # a choice field
        for name in ("for_s", "clear_for_s", "escalate_s", "remind_s"):
            # By the field: what only the model refuses stands in the rule already when the page puts it into words.
            self.fields[name].validators.append(MaxValueValidator(LONGEST_S))
        people = get_user_model().objects.filter(is_active=True).exclude(email="")
        names = Group.objects.order_by("name").values_list("name", flat=True)
        self.fields["escalate_groups"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]  # as above
        self.fields["recipients"].queryset = people  # type: ignore[attr-defined]  # a model choice field
        self.fields["channels"].queryset = Channel.objects.choosable()  # type: ignore[attr-defined]  # as above
        kind = KINDS[self.instance.kind]
        self.numbers = list(kind.thresholds)
        for name, threshold in kind.thresholds.items():
            given = self.instance.thresholds.get(name, threshold.default)
            self.fields[f"threshold_{name}"] = ThresholdField(threshold, initial=given)
        self.order_fields(["name", "enabled", *(f"threshold_{name}" for name in self.numbers)])

    def clean_remind_s(self) -> int | None:
        """Nobody wants a mail a minute."""
        seconds: int | None = self.cleaned_data["remind_s"]
        if seconds is not None and seconds < 300:
            raise forms.ValidationError(_("Reminders come every 300 seconds at most."))
        return seconds

    def save(self, commit: bool = True) -> Rule:
        self.instance.thresholds = {name: self.cleaned_data[f"threshold_{name}"] for name in self.numbers}
        self.instance.last_error = ""
        return super().save(commit)
