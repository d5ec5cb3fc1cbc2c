"""The form of a judge."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment
from traffic.models import Judge
from traffic.trials.services import MOST_CAP

RUBRIC = """5: right, complete and clear
4: usable as it stands
3: usable after changes
2: of some use
1: wrong or harmful"""
BOUNDS = (("percent", 1, 100), ("cap_usd", 0, MOST_CAP), ("least_alpha", 0, 1))


class JudgeForm(forms.ModelForm[Judge]):
    """One judge of a task; the task that has one already is changed."""

    class Meta:
        model = Judge
        fields = ("task", "deployment", "percent", "rubric", "cap_usd", "least_alpha", "enabled")
        labels = {
            "task": _("Task"), "deployment": _("Judging deployment"), "percent": _("Answers judged, percent"),
            "rubric": _("Rubric"), "cap_usd": _("Cap in USD"), "least_alpha": _("Least agreement (alpha)"),
            "enabled": _("Enabled"),
        }  # fmt: skip
        help_texts = {
            "deployment": _("It gets prompts and answers. A vendor gets none that may be private."),
            "cap_usd": _("For all of its calls together. A call that could cost more than the rest is not sent."),
            "least_alpha": _("Below it the scores are not to be trusted yet. 0.667 is usual."),
        }

    def __init__(self, data: Any = None, *, instance: Judge | None = None) -> None:
        defaults = {"percent": 5, "rubric": RUBRIC, "cap_usd": 1} if instance is None else {}
        super().__init__(data, instance=instance, initial=defaults)
        field = self.fields["deployment"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Deployment.objects.enabled().order_by("name")
        for name, least, most in BOUNDS:
            self.fields[name].validators += [MinValueValidator(least), MaxValueValidator(most)]
        self.fields["rubric"].widget = forms.Textarea(attrs={"rows": 4, "maxlength": 5_000})
