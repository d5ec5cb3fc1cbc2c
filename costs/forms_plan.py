"""Forms of the plan: a phase, a stage. Periods end on the day after their last one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from costs.models import Phase, Stage


def day_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


def free_slug(model: type[Phase] | type[Stage], name: str) -> str:
    """A slug from the name that nobody bears yet."""
    base = slugify(name)[:40] or "step"
    taken = set(model._default_manager.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 1000))) if slug not in taken)


class Named(forms.ModelForm):  # type: ignore[type-arg]  # it takes no argument at run time
    """A form whose new row gets its slug from the name, and a link keeps working when the name changes."""

    def save(self, commit: bool = True) -> Any:
        if not self.instance.slug:
            self.instance.slug = free_slug(self._meta.model, self.cleaned_data["name"])
        return super().save(commit)

    def swapped(self, low: str, high: str, sentence: Any) -> bool:
        """Adds the sentence to the second field when it lies at or before the first."""
        first, last = self.cleaned_data.get(low), self.cleaned_data.get(high)
        if first is not None and last is not None and last <= first:
            self.add_error(high, sentence)
            return True
        return False


class PhaseForm(Named):
    class Meta:
        model = Phase
        fields = ["name", "shape", "volume_from", "volume_to", "budget_low", "budget_high", "starts_on", "ends_on"]
        labels = {
            "name": _("Name"),
            "shape": _("Shape"),
            "volume_from": _("Volume from, requests a month"),
            "volume_to": _("Volume to"),
            "budget_low": _("Budget a month, low, USD"),
            "budget_high": _("Budget a month, high, USD"),
            "starts_on": _("Starts on"),
            "ends_on": _("Ends before"),
        }
        help_texts = {
            "shape": _("In words: what serves the requests in this phase."),
            "volume_to": _("The first volume that is too much for this phase; empty: no upper end."),
            "budget_high": _("Alerts and the forecast are held against this one."),
            "starts_on": _("Empty while the phase has no date."),
            "ends_on": _("The day after its last; empty: until another phase begins."),
        }
        widgets = {"starts_on": day_input(), "ends_on": day_input(), "shape": forms.Textarea(attrs={"rows": 3})}

    def clean_budget_high(self) -> Any:
        amount = self.cleaned_data["budget_high"]
        if amount <= 0:
            raise forms.ValidationError(_("A budget of 0 would be spent by the first request; write at least 0.01."))
        return amount

    def clean_budget_low(self) -> Any:
        amount = self.cleaned_data["budget_low"]
        if amount < 0:
            raise forms.ValidationError(_("A budget cannot be negative."))
        return amount

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        low, high = data.get("budget_low"), data.get("budget_high")
        if low is not None and high is not None and low > high:
            self.add_error("budget_high", _("The high end must not be below the low end."))
        if not self.swapped("volume_from", "volume_to", _("The band must end above its beginning.")):
            self._band_apart(data)
        if data.get("ends_on") and not data.get("starts_on"):
            self.add_error("starts_on", _("A phase that ends must begin."))
        elif not self.swapped("starts_on", "ends_on", _("The phase must end after its first day.")):
            self._dates_apart(data)
        return data

    def _others(self) -> Any:
        return Phase.objects.exclude(pk=self.instance.pk)

    def _band_apart(self, data: dict[str, Any]) -> None:
        first, end = data.get("volume_from"), data.get("volume_to")
        if first is None or "volume_to" in self.errors:
            return
        meets = self._others().filter(Q(volume_to=None) | Q(volume_to__gt=first))
        other = (meets if end is None else meets.filter(volume_from__lt=end)).first()
        if other:
            self.add_error("volume_from", _("This band overlaps with that of “%(name)s”.") % {"name": other.name})

    def _dates_apart(self, data: dict[str, Any]) -> None:
        other = overlapping(self._others(), data.get("starts_on"), data.get("ends_on"))
        if other:
            self.add_error("starts_on", _("These dates overlap with those of “%(name)s”.") % {"name": other.name})


class StageForm(Named):
    class Meta:
        model = Stage
        fields = ["name", "starts_on", "ends_on", "budget"]
        labels = {
            "name": _("Name"),
            "starts_on": _("Starts on"),
            "ends_on": _("Ends before"),
            "budget": _("Total, USD"),
        }
        help_texts = {"ends_on": _("The day after its last."), "budget": _("For the whole stage, not a month.")}
        widgets = {"starts_on": day_input(), "ends_on": day_input()}

    def clean_budget(self) -> Any:
        amount = self.cleaned_data["budget"]
        if amount <= 0:
            raise forms.ValidationError(_("A budget of 0 would be spent by the first request; write at least 0.01."))
        return amount

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.swapped("starts_on", "ends_on", _("The stage must end after its first day.")):
            other = overlapping(Stage.objects.exclude(pk=self.instance.pk), data.get("starts_on"), data.get("ends_on"))
            if other:
                self.add_error("starts_on", _("These dates overlap with those of “%(name)s”.") % {"name": other.name})
        return data


def overlapping(rows: Any, starts_on: date | None, ends_on: date | None) -> Any:
    """A row whose dates overlap with these; an open end reaches until a later row begins, so it overlaps with none."""
    if starts_on is None:
        return None
    running = rows.filter(starts_on__lte=starts_on, ends_on__gt=starts_on)
    ahead = rows.filter(starts_on__gt=starts_on, starts_on__lt=ends_on) if ends_on else rows.none()
    same = rows.filter(starts_on=starts_on)
    return same.first() or running.first() or ahead.first()
