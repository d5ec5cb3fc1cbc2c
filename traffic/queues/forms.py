"""The form of a queue."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from lib.formats import person
from providers.models import Deployment
from traffic.models import Application, RatingQueue, Rubric, Task


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only for the type checker
    """What a queue is drawn from, who rates it, and how often each answer is rated."""

    class Meta:
        model = RatingQueue
        fields = (
            "name", "question", "task", "application", "deployment", "sampling", "size", "overlap_percent",
            "ratings_per_answer", "rubric", "raters",
        )  # fmt: skip
        labels = {
            "name": _("Name"),
            "question": _("Question to the raters"),
            "task": _("Task"),
            "application": _("Application"),
            "deployment": _("Deployment"),
            "sampling": _("Which answers"),
            "size": _("Number of answers"),
            "overlap_percent": _("Share that several people rate, in percent"),
            "ratings_per_answer": _("Ratings of each answer in that share"),
            "rubric": _("Rubric"),
            "raters": _("Raters"),
        }
        help_texts = {
            "question": _("For example: Would you send this answer to a customer?"),
            "sampling": _("From answers of the last 14 days. Applications must store their prompts and answers."),
            "overlap_percent": _("Every other answer needs one rating. Agreement is measured on this share."),
            "rubric": _("Blank: the rubric of each answer's task."),
            "raters": _("Blank: every person who may rate. Raters only get answers of their own applications."),
        }
        widgets = {"raters": forms.CheckboxSelectMultiple}

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        for name, choices, empty in (
            ("application", Application.objects.filter(capture_bodies=True).order_by("name"), _("every application")),
            ("deployment", Deployment.objects.order_by("name"), _("every deployment")),
            ("rubric", Rubric.objects.current().order_by("name"), _("that of the task")),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset, field.empty_label = choices, str(empty)
        task = self.fields["task"]
        assert isinstance(task, forms.TypedChoiceField)
        task.choices = [("", _("every task")), *Task.choices]
        raters = self.fields["raters"]
        assert isinstance(raters, forms.ModelMultipleChoiceField)
        raters.queryset = User.objects.filter(is_active=True).order_by("username")
        raters.label_from_instance = person  # type: ignore[method-assign,assignment]  # Django's documented hook
