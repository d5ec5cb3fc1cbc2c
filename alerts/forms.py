"""Forms of the alerts' pages."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Threshold
from alerts.models import Channel, Rule, Severity

HOURS = [
    (1, gettext_lazy("1 hour")),
    (8, gettext_lazy("8 hours")),
    (24, gettext_lazy("1 day")),
    (72, gettext_lazy("3 days")),
    (168, gettext_lazy("7 days")),
    (720, gettext_lazy("30 days")),
]


class NoteForm(forms.Form):
    """Why, for whoever reads the timeline later."""

    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )


class SilenceForm(forms.Form):
    """For how long, and why."""

    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS, coerce=int, initial=24)
    whole_kind = forms.BooleanField(
        label=gettext_lazy("every alert of this kind, not only this subject"), required=False
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)


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


class RuleForm(RuleModelForm):
    """A rule with the numbers that its kind needs."""

    escalate_groups = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

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
            "escalate_groups": gettext_lazy("The others"),
            "remind_s": gettext_lazy("Said again every"),
            "recipients": gettext_lazy("Tell"),
            "channels": gettext_lazy("And these channels"),
        }
        help_texts = {
            "for_s": gettext_lazy("seconds that the line must be crossed without a break"),
            "clear_for_s": gettext_lazy("seconds that it must be clear of it"),
            "escalate_s": gettext_lazy("seconds without an acknowledgement; empty: never"),
            "escalate_groups": gettext_lazy("groups; none chosen: admins"),
            "remind_s": gettext_lazy("seconds while it is open; empty: once is enough"),
            "recipients": gettext_lazy("people with an e-mail address; nobody chosen: the groups of this kind"),
        }
        widgets = {"recipients": forms.CheckboxSelectMultiple, "channels": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["severity"].choices = Severity.choices  # type: ignore[attr-defined]  # a choice field
        people = get_user_model().objects.filter(is_active=True).exclude(email="")
        names = Group.objects.order_by("name").values_list("name", flat=True)
        self.fields["escalate_groups"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]  # as above
        self.fields["recipients"].queryset = people  # type: ignore[attr-defined]  # a model choice field
        self.fields["channels"].queryset = Channel.objects.there()  # type: ignore[attr-defined]  # as above
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
