"""Forms of the Decide page: a person's no-go, the two switches, and what is to be sized."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from costs.models import Justification
from costs.sheets import Sheet

PRECISIONS = (
    ("fp16", _("16-bit")), ("int8", _("8-bit")), ("int4", _("4-bit")), ("int3", _("3-bit")),
    ("q8_0", _("8-bit GGUF, Q8_0")), ("q4_k_m", _("4-bit GGUF, Q4_K_M")), ("q3_k_m", _("3-bit GGUF, Q3_K_M")),
    ("awq", _("4-bit AWQ")),
)  # fmt: skip


class ReasonForm(forms.Form):
    """Why; the reason is shown to everyone who sees the verdict."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": _("Say why, so that others can judge it too.")},
    )  # fmt: skip


class SwitchForm(ReasonForm):
    kind = forms.ChoiceField(label=_("What asks for our own GPUs"), choices=Justification.Kind.choices)
    field_order = ("kind", "reason")


class SizingForm(forms.Form):
    """What is asked; an empty field is the default."""

    model = forms.ChoiceField(label=_("Model"), required=False)
    precision = forms.ChoiceField(label=_("Precision"), choices=PRECISIONS, required=False)
    context = forms.IntegerField(label=_("Context, tokens"), min_value=128, max_value=1_000_000, required=False)
    concurrent = forms.IntegerField(label=_("At once"), min_value=1, max_value=512, required=False)

    DEFAULTS: dict[str, Any] = {"model": "mistral-7b", "precision": "fp16", "context": 4096, "concurrent": 8}

    def __init__(self, data: Any, sheet: Sheet) -> None:
        super().__init__({**self.DEFAULTS, **{name: value for name, value in data.items() if value}})
        choices = [(model.slug, model.name) for model in sheet.models]
        self.fields["model"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked where it can be, the defaults where it cannot."""
        valid = self.cleaned_data if self.is_valid() else {}
        return {name: valid.get(name) or default for name, default in self.DEFAULTS.items()}
