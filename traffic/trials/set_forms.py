"""The form that makes a version of a set of answers."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.forms import one_line
from traffic.models import Task
from traffic.trials import sets
from traffic.trials.prompts import readable
from traffic.visibility import Person

SOURCES = [
    ("rated", gettext_lazy("Rated answers of a task from the last 90 days")),
    ("pairs", gettext_lazy("Answers that won their comparisons, of a task from the last 90 days")),
    ("file", gettext_lazy("A file of JSON lines")),
]


class SetForm(forms.Form):
    """What a set is made of; `draft` is what the services take."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("A name that exists gets a new version. Older versions stay as they are."),
    )
    source = forms.ChoiceField(
        label=gettext_lazy("Answers"), choices=SOURCES, widget=forms.RadioSelect, initial="rated"
    )
    task = forms.ChoiceField(
        label=gettext_lazy("Task"),
        choices=[("", "–"), *Task.choices],
        required=False,
        help_text=gettext_lazy(
            "Only texts that you may read are copied, and none of private calls. A set has at most 2,000 items."
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        help_text=gettext_lazy(
            'One JSON object on each line: {"prompt": "…", "task": "qa", "answer": "…", "acceptable": true}.'
        ),
    )

    def __init__(self, data: Any = None, files: Any = None, *, today: date, user: Person) -> None:
        super().__init__(data, files)
        self.today, self.user = today, user
        self.draft = sets.Draft()

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        if cleaned["source"] == "file":
            self._read(cleaned.get("file"))
        elif not cleaned.get("task"):
            self.add_error("task", _("Choose the task whose answers are copied."))
        else:
            read = sets.rated_answers if cleaned["source"] == "rated" else sets.better_answers
            self.draft = read(cleaned["task"], self.today, readable(self.user))
            if not self.draft.items:
                self.add_error("task", _("There is no such answer with a stored text that you may read."))
        return cleaned

    def _read(self, file: Any) -> None:
        if file is None:
            self.add_error("file", _("Choose a file of JSON lines."))
        elif file.size > sets.MOST_FILE:
            self.add_error("file", _("The file is larger than 64 MB."))
        else:
            self.draft = sets.read_file(file)
            if not self.draft.items:
                self.add_error("file", " ".join([_("No line is an item."), *self._first()]))

    def _first(self) -> list[str]:
        """The first line at fault, as a sentence."""
        return [_("Line %(line)s: %(words)s") % {"line": line, "words": words}
                for line, words in self.draft.file.rejected_lines[:1]]  # fmt: skip
