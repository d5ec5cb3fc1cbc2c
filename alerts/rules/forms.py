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
        label=gettext_lazy("Opens after"),
        help_text=gettext_lazy("over the limit without a break for, such as 15 minutes; 0: at once"),
    )
    clear_for_s = SecondsField(
        label=gettext_lazy("Resolved after"),
        help_text=gettext_lazy("back within the limit for, such as 15 minutes; 0: at once"),
    )
    escalate_s = SecondsField(
        label=gettext_lazy("Told to others too after"),
        required=False,
        help_text=gettext_lazy("such as 6 hours without an acknowledgement (blank: never)"),
    )
    remind_s = SecondsField(
        label=gettext_lazy("Said again every"),
        required=False,
        help_text=gettext_lazy("such as 1 day while it is open (blank: once is enough)"),
    )
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
            "recipients": gettext_lazy("Tell"),
            "channels": gettext_lazy("And these channels"),
        }
        help_texts = {
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
            raise forms.ValidationError(_("Reminders come every 5 minutes at most."))
        return seconds

    @property
    def sentence(self) -> str:
        """The rule as it is entered, or what is still missing."""
        if not self.is_valid():
            return unfinished(self)
        rule, data = self.instance, self.cleaned_data
        numbers = {name: data[f"threshold_{name}"] for name in self.numbers}
        return sentence_of(KINDS[rule.kind], numbers, data["for_s"], rule.groups, data["recipients"], data["channels"])

    def save(self, commit: bool = True) -> Rule:
        self.instance.thresholds = {name: self.cleaned_data[f"threshold_{name}"] for name in self.numbers}
        self.instance.last_error = ""
        return super().save(commit)
