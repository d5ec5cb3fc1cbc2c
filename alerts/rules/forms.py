"""The form of a rule that comes with an installation: its numbers, whom it tells, and when."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.kinds import KINDS
from alerts.kinds.sentences import sentence_of
from alerts.metrics.thresholds import SECONDS, BadThreshold, Threshold
from alerts.models import Channel, Rule, Severity

DURATION_HELP = gettext_lazy("such as 15 minutes, 6 hours or 2 days")
LONGEST_TEXT = 60  # characters of a duration that are read
SIZES = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
PART = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(d|h|m|s)[a-z]*[\s,]*")


def duration_text(seconds: Any) -> Any:
    """`1 hour 30 minutes` of 5,400; what is no number of seconds stays as it is, for it was typed."""
    if not isinstance(seconds, int):
        return seconds
    parts, rest = [], seconds
    for unit, size in SIZES.items():
        n, rest = divmod(rest, size)
        if n:
            parts.append(f"{n} {unit}" + ("s" if n > 1 else ""))
    return " ".join(parts) or "0"


def seconds_of(text: str) -> int:
    """The seconds in `1 h 30 min`; only 0 needs no unit. Raises ValidationError."""
    parts, rest = PART.findall(text.lower()), PART.sub("", text.lower()).strip()
    if text.strip() == "0":
        return 0
    if rest or not parts:
        raise forms.ValidationError(_("Enter a time with its unit, such as 15 minutes or 6 hours."))
    return round(sum(float(n) * next(size for name, size in SIZES.items() if name[0] == unit) for n, unit in parts))


class SecondsField(forms.Field):
    """Seconds, written and shown as people say them; empty is None."""

    def prepare_value(self, value: Any) -> Any:
        return duration_text(value)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        return seconds_of(text[:LONGEST_TEXT]) if text else None


def unfinished(form: forms.BaseForm) -> str:
    """What a form that is being filled in still lacks, as one line."""
    label, errors = next(
        ((form[name].label, errors) for name, errors in form.errors.items() if name != "__all__"), ("", [])
    )
    return _("Not complete yet. %(label)s: %(error)s") % {"label": label, "error": errors[0]} if errors else ""


class ThresholdField(forms.CharField):
    """A number of a rule, or several of them with commas."""

    def __init__(self, threshold: Threshold, **options: Any) -> None:
        self.threshold = threshold
        unit = DURATION_HELP if threshold.unit == SECONDS else _(threshold.unit)
        super().__init__(label=_(threshold.label), help_text=unit, max_length=100, **options)

    def prepare_value(self, value: Any) -> Any:
        if self.threshold.unit == SECONDS:
            return duration_text(value)
        return ", ".join(str(number) for number in value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if self.threshold.unit == SECONDS:
            text = str(seconds_of(text))
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

    for_s = SecondsField(
        label=gettext_lazy("Delay"),
        help_text=gettext_lazy("Time over the limit, such as 15 minutes. 0: at once."),
    )
    clear_for_s = SecondsField(
        label=gettext_lazy("Resolve after"),
        help_text=gettext_lazy("Time within the limit, such as 15 minutes. 0: at once."),
    )
    escalate_s = SecondsField(
        label=gettext_lazy("Escalate after"),
        required=False,
        help_text=gettext_lazy("Time without an acknowledgement, such as 6 hours. Blank: never."),
    )
    remind_s = SecondsField(
        label=gettext_lazy("Repeat every"),
        required=False,
        help_text=gettext_lazy("While it is open, such as 1 day. Blank: do not repeat."),
    )
    escalate_groups = forms.MultipleChoiceField(
        label=gettext_lazy("Escalate to"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Groups. None selected: admins."),
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
            "enabled": gettext_lazy("Enabled"),
            "severity": gettext_lazy("Severity"),
            "recipients": gettext_lazy("Notify"),
            "channels": gettext_lazy("Channels"),
        }
        help_texts = {
            "recipients": gettext_lazy("People with an e-mail address. None selected: the default groups."),
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
            raise forms.ValidationError(_("Repeat at most every 5 minutes."))
        return seconds

    @property
    def sentence(self) -> str:
        """The rule as it is entered, or what is still missing."""
        if not self.is_valid():
            return unfinished(self)
        rule, data = self.instance, self.cleaned_data
        return sentence_of(
            KINDS[rule.kind], self.thresholds, data["for_s"], rule.groups, data["recipients"], data["channels"]
        )

    @property
    def thresholds(self) -> dict[str, Any]:
        """The numbers of a valid form by their names."""
        return {name: self.cleaned_data[f"threshold_{name}"] for name in self.numbers}

    def save(self, commit: bool = True) -> Rule:
        self.instance.thresholds = self.thresholds
        self.instance.last_error = ""
        return super().save(commit)
