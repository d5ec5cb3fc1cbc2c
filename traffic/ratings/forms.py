"""The form of a rating."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from traffic.models import RaterKind, Rubric
from traffic.ratings.judgement import Judgement
from traffic.rubrics.criteria import criteria_of, marks_of, posted


class RatingForm(forms.Form):
    """One person's judgement of one answer, with marks by the criteria of a rubric where there is one."""

    stars = forms.TypedChoiceField(
        choices=[(number, str(number)) for number in range(1, 6)],
        coerce=int,
        error_messages={"required": _("Choose 1 to 5."), "invalid_choice": _("Choose 1 to 5.")},
    )
    comment = forms.CharField(max_length=5_000, required=False)

    def __init__(self, data: Any, rubric: Rubric | None = None) -> None:
        super().__init__(data)
        self.rubric = rubric

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        criteria = criteria_of(self.rubric.criteria) if self.rubric else []
        try:
            cleaned["marks"] = marks_of(criteria, posted(criteria, self.data))
        except ValueError as error:
            self.add_error(None, str(error))
        return cleaned

    def judgement(self) -> Judgement:
        """What a valid form holds, as the judgement of the person who rates."""
        # A form that showed criteria and has no mark says so: no tag is no fault, and a mark can be taken away.
        shown = self.rubric is not None and ("rubric" in self.data or self.cleaned_data["marks"])
        rubric_id = self.rubric.pk if self.rubric and shown else None
        return Judgement(
            "", None, self.cleaned_data["stars"], self.cleaned_data["comment"], RaterKind.PERSON, rubric_id,
            self.cleaned_data["marks"],
        )  # fmt: skip
