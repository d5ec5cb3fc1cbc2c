"""Forms of the Decide page: a person's no-go, switches, a signature, the burden of operations, and what to size."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from costs.models import Choice, Effort, Justification, OpsWorkloadLimit
from costs.price_sheets.sheets import Sheet

PRECISIONS = (
    ("fp16", _("16-bit")), ("int8", _("8-bit")), ("int4", _("4-bit")), ("int3", _("3-bit")),
    ("q8_0", _("8-bit GGUF, Q8_0")), ("q4_k_m", _("4-bit GGUF, Q4_K_M")), ("q3_k_m", _("3-bit GGUF, Q3_K_M")),
    ("awq", _("4-bit AWQ")),
)  # fmt: skip


class ReasonForm(forms.Form):
    """Why; the reason is shown to everyone who sees the verdict."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": _("Enter a reason for other readers.")},
    )  # fmt: skip


class SwitchForm(ReasonForm):
    kind = forms.ChoiceField(label=_("Reason for self-hosting"), choices=Justification.Kind.choices)
    field_order = ("kind", "reason")


class SignForm(forms.Form):
    """A decision to be signed; `seen` is the verdict that the person had before their eyes."""

    choice = forms.ChoiceField(label=_("We decide"), choices=Choice.choices)
    statement = forms.CharField(
        label=_("Statement"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The decision and its reason, printed above the figures. It cannot be changed after signing."),
        error_messages={"required": _("Enter the decision and its reason.")},
    )  # fmt: skip
    seen = forms.ChoiceField(choices=Choice.choices, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, verdict: str) -> None:
        super().__init__(data, initial={"choice": verdict, "seen": verdict})
        self.verdict = verdict

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("seen") and data["seen"] != self.verdict:
            words = dict(Choice.choices)
            sentence = _(
                "The verdict was %(before)s when you read it and is %(now)s now. Read it again before you sign."
            )
            values = {"before": words[Choice(data["seen"])], "now": words[Choice(self.verdict)]}
            self.add_error("choice", sentence % values)
            self.data = {**dict(self.data.items()), "seen": self.verdict}
        return data


class EffortForm(forms.ModelForm[Effort]):
    """Hours spent on running our own deployments."""

    class Meta:
        model = Effort
        fields = ("day", "hours", "what")
        labels = {"day": _("Day"), "hours": _("Hours"), "what": _("What was done")}
        widgets = {
            "day": forms.DateInput(attrs={"type": "date"}),
            "hours": forms.NumberInput(attrs={"step": "0.25", "min": "0"}),
        }

    def __init__(self, data: Any = None, *, today: date) -> None:
        super().__init__(data, initial={"day": today})
        self.today = today

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day > self.today:
            raise forms.ValidationError(_("This day is in the future."))
        if day < self.today - timedelta(days=366):
            raise forms.ValidationError(_("This day is more than a year ago."))
        return day

    def clean_hours(self) -> Any:
        hours = self.cleaned_data["hours"]
        if not 0 < hours <= 24:
            raise forms.ValidationError(_("A day has 24 hours: enter more than 0 and at most 24."))
        return hours


class LimitsForm(forms.ModelForm[OpsWorkloadLimit]):
    """What the team bears in 30 days; an empty field is no limit."""

    class Meta:
        model = OpsWorkloadLimit
        fields = ("incidents", "hours", "pages")
        labels = {"incidents": _("Incidents"), "hours": _("Hours of work"), "pages": _("Calls")}


class SizingForm(forms.Form):
    """What is asked; an empty field is the default."""

    model = forms.ChoiceField(label=_("Model"), required=False)
    precision = forms.ChoiceField(label=_("Precision"), choices=PRECISIONS, required=False)
    context = forms.IntegerField(label=_("Context, tokens"), min_value=128, max_value=1_000_000, required=False)
    concurrent = forms.IntegerField(label=_("At once"), min_value=1, max_value=512, required=False)
    checkpoint = forms.CharField(
        label=_("Your own checkpoint (optional)"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "org/model-of-that-shape", "spellcheck": "false"}),
        validators=[
            RegexValidator(r"^(?!-)[^\x00-\x1f\x7f]+$", _("A repository or a path, which does not begin with a dash."))
        ],
    )

    DEFAULTS: dict[str, Any] = {
        "model": "mistral-7b",
        "precision": "fp16",
        "context": 4096,
        "concurrent": 8,
        "checkpoint": "",
    }

    def __init__(self, data: Any, sheet: Sheet) -> None:
        super().__init__({**self.DEFAULTS, **{name: value for name, value in data.items() if value}})
        choices = [(model.slug, model.name) for model in sheet.models]
        self.fields["model"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked where it can be, the defaults where it cannot."""
        valid = self.cleaned_data if self.is_valid() else {}
        return {name: valid.get(name) or default for name, default in self.DEFAULTS.items()}
