"""The form of a new trial."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.models import Deployment
from traffic.models import AnswerSet, Task
from traffic.models.trials import PromptSource
from traffic.trials import prompts, sets
from traffic.trials.services import (
    ANSWER_TOKENS,
    MOST_ANSWER_TOKENS,
    MOST_CAP,
    MOST_CONCURRENCY,
    MOST_SECONDS,
    MOST_STEPS,
    Plan,
    goes_to_vendor,
)
from traffic.visibility import Person

SOURCES = [
    (PromptSource.BUILTIN.value, gettext_lazy("The built-in set: 60 prompts in English and Italian over all tasks")),
    (PromptSource.TASK.value, gettext_lazy("Stored prompts of a task from the last 7 days, at most 200")),
    (PromptSource.FILE.value, gettext_lazy("A file of JSON lines")),
    (PromptSource.SET.value, gettext_lazy("A set of answers")),
]
UNITS = {
    "seconds_per_step": gettext_lazy("seconds"),
    "answer_tokens": gettext_lazy("tokens"),
    "cap_usd": gettext_lazy("USD"),
}


class DeploymentChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic only for the type checker
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.model})"


class TrialForm(forms.Form):
    """What a trial is to do; `plan` is what the services take."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    candidate = DeploymentChoice(
        label=gettext_lazy("Candidate"), queryset=None, help_text=gettext_lazy("The deployment that is measured.")
    )
    baseline = DeploymentChoice(
        label=gettext_lazy("Baseline"),
        queryset=None,
        required=False,
        help_text=gettext_lazy(
            "Answers the same prompts, for blind comparisons. Blank: stored prompts use their stored answers."
        ),
    )
    source = forms.ChoiceField(label=gettext_lazy("Prompts"), choices=SOURCES, widget=forms.RadioSelect)
    task = forms.ChoiceField(
        label=gettext_lazy("Task"),
        choices=[("", "–"), *Task.choices],
        required=False,
        help_text=gettext_lazy("For stored prompts. Only texts that you may read are sent, and none of private calls."),
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        help_text=gettext_lazy(
            'One JSON object on each line: {"prompt": "…", "task": "qa"}. Lines that are no prompt are listed.'
        ),
    )
    answer_set = forms.ModelChoiceField(
        label=gettext_lazy("Set"),
        queryset=AnswerSet.objects.all(),
        empty_label="–",
        required=False,
        help_text=gettext_lazy("Only prompts that you may read are sent. Blank baseline: the stored answers."),
    )
    concurrency = forms.CharField(
        label=gettext_lazy("Calls at once"),
        max_length=100,
        help_text=gettext_lazy("One step for each number, such as 1, 2, 4, 8."),
    )
    seconds_per_step = forms.IntegerField(label=gettext_lazy("Length of a step"), min_value=1, max_value=MOST_SECONDS)
    answer_tokens = forms.IntegerField(label=gettext_lazy("Longest answer"), min_value=1, max_value=MOST_ANSWER_TOKENS)
    cap_usd = forms.DecimalField(
        label=gettext_lazy("Cap"),
        min_value=Decimal(0),
        max_value=MOST_CAP,
        max_digits=16,
        decimal_places=6,
        help_text=gettext_lazy("A call that could cost more than the rest is not sent. Rented GPUs add nothing."),
    )
    used_in_break_even = forms.BooleanField(
        label=gettext_lazy("Use the measured capacity in Break-even"), required=False
    )

    def __init__(
        self, data: Any = None, files: Any = None, *, today: date, user: Person, initial: Mapping[str, Any]
    ) -> None:
        super().__init__(data, files, initial={**DEFAULTS, **initial})
        self.today, self.user = today, user
        enabled = Deployment.objects.enabled().select_related("lease").order_by("name")
        for name in ("candidate", "baseline"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = enabled
        self.plan: Plan | None = None

    def fields_with_units(self) -> list[tuple[forms.BoundField, str]]:
        """Each field with the unit behind it; empty where it has none."""
        return [(field, str(UNITS.get(field.name, ""))) for field in self]

    def clean_concurrency(self) -> list[int]:
        text = self.cleaned_data["concurrency"].replace(",", " ")
        numbers = [int(word) for word in text.split() if word.isascii() and word.isdigit() and len(word) < 6]
        if len(numbers) != len(text.split()):
            raise forms.ValidationError(_("Enter whole numbers, such as 1, 2, 4, 8."))
        if not 1 <= len(numbers) <= MOST_STEPS or not all(1 <= number <= MOST_CONCURRENCY for number in numbers):
            words = {"steps": MOST_STEPS, "most": MOST_CONCURRENCY}
            raise forms.ValidationError(_("Enter 1 to %(steps)s numbers from 1 to %(most)s.") % words)
        return numbers

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        read, file, source_name = self._prompts(cleaned)
        if self.errors:
            return cleaned
        names = ("name", "candidate", "baseline", "concurrency", "seconds_per_step", "answer_tokens", "cap_usd",
                 "used_in_break_even")  # fmt: skip
        plan = Plan(**{name: cleaned[name] for name in names}, source=PromptSource(cleaned["source"]),
                    source_name=source_name, prompts=read, file=file)  # fmt: skip
        for name, sentence in plan.check():
            self.add_error("source" if name == "prompts" else name, sentence)
        self.plan = plan
        return cleaned

    def _prompts(self, cleaned: dict[str, Any]) -> tuple[list[prompts.Prompt], prompts.PromptFile | None, str]:
        """The prompts, the file that they are from, and the name of their source; errors are added to the fields."""
        source, task, upload = cleaned["source"], cleaned.get("task"), cleaned.get("file")
        if source == PromptSource.TASK:
            if not task:
                self.add_error("task", _("Choose the task whose prompts are sent."))
                return [], None, ""
            readable = prompts.readable(self.user)
            to_vendor = goes_to_vendor(cleaned.get("candidate"), cleaned.get("baseline"))
            stored = prompts.stored(task, self.today, readable, to_vendor=to_vendor)
            if not stored and to_vendor and prompts.stored(task, self.today, readable, to_vendor=False, most=1):
                self.add_error("task", _("The stored prompts of this task may be of private calls. Choose deployments "
                                         "on your own machines on both sides."))  # fmt: skip
            elif not stored:
                text = _("There is no stored prompt of this task from the last 7 days that you may read.")
                self.add_error("task", text)
            return stored, None, task
        if source == PromptSource.SET:
            answer_set = cleaned.get("answer_set")
            if answer_set is None:
                self.add_error("answer_set", _("Choose the set whose prompts are sent."))
                return [], None, ""
            return sets.prompts_of(answer_set, prompts.readable(self.user)), None, str(answer_set)
        if source == PromptSource.FILE:
            if upload is None:
                self.add_error("file", _("Choose a file of JSON lines."))
                return [], None, ""
            read = prompts.read_file(upload)
            if not read.prompts:
                self.add_error("file", self._no_prompt(read))
            return read.prompts, read, upload.name or ""
        return list(prompts.builtin()), None, ""

    def _no_prompt(self, read: prompts.PromptFile) -> str:
        if not read.rejected_lines:
            return _("The file is empty.")
        line, sentence = read.rejected_lines[0]
        return _("No line is a prompt. Line %(line)s: %(sentence)s") % {"line": line, "sentence": sentence}


DEFAULTS: dict[str, Any] = {
    "source": PromptSource.BUILTIN.value,
    "concurrency": "1, 2, 4, 8",
    "seconds_per_step": 30,
    "answer_tokens": ANSWER_TOKENS,
    "cap_usd": Decimal(1),
    "used_in_break_even": True,
}
