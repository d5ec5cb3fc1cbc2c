"""The form of a rubric."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from traffic.models import Rubric, Task
from traffic.rubrics.criteria import LONGEST_ANCHOR, LONGEST_NAME, MOST_CRITERIA, MOST_TAGS, made

KIND_CHOICES = (("scale", _("a scale from 1 to 5")), ("yes_no", _("yes or no")), ("tags", _("tags of faults")))
PARTS = ("name", "kind", "anchors")


class RubricForm(forms.Form):
    """A rubric with up to five criteria; those without a name are left out."""

    name = forms.CharField(max_length=80, label=_("Name"))
    task = forms.ChoiceField(
        required=False, label=_("Rate answers of this task"), choices=[("", _("only in queues")), *Task.choices]
    )

    def __init__(self, data: Any = None, rubric: Rubric | None = None) -> None:
        initial = {"name": rubric.name, "task": rubric.task} if rubric else {}
        super().__init__(data, initial=initial)
        stored = rubric.criteria if rubric else []
        for number in range(1, MOST_CRITERIA + 1):
            row = stored[number - 1] if number <= len(stored) else {"name": "", "kind": "scale", "anchors": []}
            words = {"n": number, "most": MOST_TAGS}
            self.fields[f"name_{number}"] = forms.CharField(
                required=False, max_length=LONGEST_NAME, label=_("Criterion %(n)s") % words, initial=row["name"]
            )
            self.fields[f"kind_{number}"] = forms.ChoiceField(
                label=_("Kind of criterion %(n)s") % words, choices=KIND_CHOICES, initial=row["kind"]
            )
            self.fields[f"anchors_{number}"] = forms.CharField(
                required=False, max_length=MOST_TAGS * (LONGEST_ANCHOR + 2), widget=forms.Textarea(attrs={"rows": 3}),
                label=_("Words of criterion %(n)s") % words, initial="\n".join(row["anchors"]),
                help_text=_("One a line: the meanings of 1 to 5, of 1 and 5 only, or up to %(most)s tags.") % words,
            )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        rows = [tuple(cleaned.get(f"{part}_{number}", "") for part in PARTS) for number in range(1, MOST_CRITERIA + 1)]
        try:
            cleaned["criteria"] = made((name, kind, anchors) for name, kind, anchors in rows if name)
        except ValueError as error:
            self.add_error(None, str(error))
        return cleaned

    def values(self) -> dict[str, Any]:
        """What `services.save` takes of a valid form."""
        return {name: self.cleaned_data[name] for name in ("name", "task", "criteria")}
