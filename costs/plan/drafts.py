"""Steps that might be added to the plan, looked at before they are: a copy of another period, or the research's plan.

A draft is the data of the form that a person would have filled in, so it is refused for the same reasons and in the
same words.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.dateformat import format as date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.models import Budget, Phase, Stage
from costs.plan.forms import BudgetForm, Named, PhaseForm, StageForm
from costs.price_sheets.sheets import Sheet

FORMS: dict[str, type[Named]] = {"phase": PhaseForm, "stage": StageForm, "budget": BudgetForm}
PERIOD = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?")
NAMED = re.compile(r" \((?:\w+ )?\d{4}\)$")


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar year or month; `end` is the day after its last."""

    first: date
    months: int

    @classmethod
    def of(cls, text: str) -> Period:
        """`2026` or `2026-09`. Raises ValidationError."""
        match = PERIOD.fullmatch(text.strip())
        if match is None or not 1 < int(match[1]) < 9000:
            raise ValidationError(_("Write a year like 2026 or a month like 2026-09."))
        return cls(date(int(match[1]), int(match[2] or 1), 1), 1 if match[2] else 12)

    @property
    def end(self) -> date:
        return moved(self.first, self.months)

    @property
    def name(self) -> str:
        return date_format(self.first, "F Y") if self.months == 1 else str(self.first.year)


def moved(day: date, months: int) -> date:
    """The same day some months on; the 31st becomes the last of a short month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class Draft:
    """A step that might be added; `problem` says why it cannot be."""

    kind: str  # phase, stage, budget
    values: dict[str, Any]
    problem: str = ""

    @property
    def name(self) -> str:
        return str(self.values["name"])

    @property
    def kind_words(self) -> str:
        return {"phase": _("phase"), "stage": _("stage"), "budget": _("budget")}[self.kind]

    @property
    def low(self) -> Any:
        return self.values.get("budget_low", self.values.get("low"))

    @property
    def high(self) -> Any:
        return self.values.get("budget_high", self.values.get("high", self.values.get("budget")))

    def form(self) -> Named:
        return FORMS[self.kind](self.values)

    def checked(self) -> Draft:
        """The same with what its form says against it."""
        form = self.form()
        if self.problem or form.is_valid():
            return self
        return Draft(self.kind, self.values, " ".join(str(text) for errors in form.errors.values() for text in errors))


def answer(drafts: list[Draft] | None) -> SafeString:
    """The sentence of the preview; None before a period was chosen."""
    if drafts is None:
        text = _("Copy phases, stages and budgets of a month or year to another. You see a preview first.")
        return format_html("{}", text)
    fits = sum(1 for draft in drafts if not draft.problem)
    if not fits:
        text = _("Nothing to add. The period is empty or overlaps with the plan.")
        return format_html("{}", text)
    text = ngettext(
        "<b>{n}</b> step will be added. Nothing is changed yet.",
        "<b>{n}</b> steps will be added. Nothing is changed yet.",
        fits,
    )
    return format_html(text, n=fits)


def apply(drafts: Iterable[Draft]) -> int:
    """Add what nothing speaks against, each checked again; how many were added."""
    added = 0
    with transaction.atomic():
        for draft in drafts:
            form = draft.form()
            if not draft.problem and form.is_valid():
                form.save()
                added += 1
    return added


# --- a copy --------------------------------------------------------------------------------------------------------


def copies(source: Period, target: Period) -> list[Draft]:
    """What is planned in one period as it would be in another of the same length; of a step that reaches further than
    the period, the days inside it."""
    drafts: list[Draft] = []
    rows: list[Phase | Stage | Budget] = [*Phase.objects.exclude(starts_on=None), *Stage.objects.all()]
    rows += Budget.objects.all()
    for row in rows:
        assert row.starts_on is not None
        first, end = max(row.starts_on, source.first), min(row.ends_on or date.max, source.end)
        if first < end:
            drafts.append(_copy(row, first, end, source, target).checked())
    return drafts


def _copy(row: Phase | Stage | Budget, first: date, end: date, source: Period, target: Period) -> Draft:
    by = (target.first.year - source.first.year) * 12 + target.first.month - source.first.month
    kind = str(row._meta.model_name)
    names = [name for name in FORMS[kind].Meta.labels if hasattr(row, name)]  # type: ignore[attr-defined] # each has it
    values = {name: getattr(row, name) for name in names}
    values |= {"starts_on": moved(first, by), "ends_on": moved(end, by)}
    if isinstance(row, Budget):
        values["key"] = row.key
    else:
        values["name"] = f"{NAMED.sub('', row.name)} ({target.name})"[:100]
    return Draft(kind, values, "" if row.ends_on else _("It has no end, so it continues."))


# --- the research's plan -------------------------------------------------------------------------------------------


def research_plan(sheet: Sheet, first: date) -> list[Draft]:
    """The note's six months from a day on: its stages, and its phases around them, the last without a date."""
    stages: list[Draft] = []
    day = first
    for stage in sheet.stages:
        end = day + timedelta(days=int(stage.weeks * 7)) if stage.weeks else moved(day, stage.months or 1)
        values = {"name": stage.name, "starts_on": day, "ends_on": end, "budget": stage.budget}
        stages.append(Draft("stage", values))
        day = end
    production = stages[-1].values["starts_on"]
    dates = [(first, production), (production, None), (None, None)]
    phases = [
        Draft("phase", {
            "name": phase.name, "shape": phase.shape, "volume_from": phase.volume_from, "volume_to": phase.volume_to,
            "budget_low": phase.budget_low, "budget_high": phase.budget_high, "starts_on": starts, "ends_on": ends,
        })
        for phase, (starts, ends) in zip(sheet.phases, dates, strict=True)
    ]  # fmt: skip
    return [draft.checked() for draft in [*phases, *stages]]
