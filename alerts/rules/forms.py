"""The form of a rule that comes with an installation: its numbers, whom it tells, and when."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.kinds import KINDS
from alerts.metrics.thresholds import BadThreshold, Threshold
from alerts.models import Channel, Rule, Severity


class ThresholdField(forms.CharField):
    """A number of a rule, or several of them with commas."""

    def __init__(self, threshold: Threshold, **options: Any) -> None:
        self.threshold = threshold
        super().__init__(label=_(threshold.label), help_text=_(threshold.unit), max_length=100, **options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(number) for number in value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            read = self.threshold.read(text)
        except BadThreshold as error:
            raise forms.ValidationError(str(error)) from None
        return [json_number(number) for number in read] if isinstance(read, list) else json_number(read)


def json_number(number: Decimal) -> int | float:
    """A number as JSON stores it: an int where it is whole."""
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
            current = self.instance.thresholds.get(name, threshold.default)
            self.fields[f"threshold_{name}"] = ThresholdField(threshold, initial=current)
        self.order_fields(["name", "enabled", *(f"threshold_{name}" for name in self.numbers)])

    def clean_remind_s(self) -> int | None:
        """Refuse reminders that come more often than every 300 s."""
        seconds: int | None = self.cleaned_data["remind_s"]
        if seconds is not None and seconds < 300:
            raise forms.ValidationError(_("Reminders come every 300 seconds at most."))
        return seconds

    def save(self, commit: bool = True) -> Rule:
        self.instance.thresholds = {name: self.cleaned_data[f"threshold_{name}"] for name in self.numbers}
        self.instance.last_error = ""
        return super().save(commit)
