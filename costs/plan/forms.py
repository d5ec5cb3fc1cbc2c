"""Forms of the plan: a phase, a stage, a budget. Periods end on the day after their last one."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from costs.models import Budget, Phase, Stage, subject_fields
from lib.formats import person
from providers.models import provider_names
from traffic.models import Application, Task


def day_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


def free_slug(model: type[Phase] | type[Stage] | type[Budget], name: str) -> str:
    """Return a slug from the name that no row has yet."""
    base = slugify(name)[:40] or "step"
    taken = set(model._default_manager.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 1000))) if slug not in taken)


CARRY_HELP = _("The unused budget of last month is added to this month and lapses after it.")
NO_BUDGET = _("The budget must be at least 0.01.")


def more_than_nothing(amount: Decimal) -> Decimal:
    """A budget's high end. Raises ValidationError."""
    if amount <= 0:
        raise forms.ValidationError(NO_BUDGET)
    return amount


def not_negative(amount: Decimal) -> Decimal:
    """A budget's low end. Raises ValidationError."""
    if amount < 0:
        raise forms.ValidationError(_("A budget cannot be negative."))
    return amount


class Named(forms.ModelForm):  # type: ignore[type-arg]  # it takes no argument at run time
    """A form that makes a new row's slug from its name; a later change of the name keeps it, so that links work."""

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

    def ordered(self, low: str, high: str) -> None:
        first, last = self.cleaned_data.get(low), self.cleaned_data.get(high)
        if first is not None and last is not None and first > last:
            self.add_error(high, _("The high end must not be below the low end."))


class PhaseForm(Named):
    class Meta:
        model = Phase
        fields = [
            "name",
            "shape",
            "volume_from",
            "volume_to",
            "budget_low",
            "budget_high",
            "carries",
            "starts_on",
            "ends_on",
        ]
        labels = {
            "name": _("Name"),
            "shape": _("Shape"),
            "volume_from": _("Volume from, requests a month"),
            "volume_to": _("Volume to"),
            "budget_low": _("Budget a month, low, USD"),
            "budget_high": _("Budget a month, high, USD"),
            "carries": _("Carry over"),
            "starts_on": _("Starts on"),
            "ends_on": _("Ends before"),
        }
        help_texts = {
            "shape": _("In words: what serves the requests in this phase."),
            "volume_to": _("The first volume above this phase. Blank: no upper end."),
            "budget_high": _("Alerts and the forecast use this value."),
            "carries": CARRY_HELP,
            "starts_on": _("Empty while the phase has no date."),
            "ends_on": _("The day after its last day. Blank: until another phase begins."),
        }
        widgets = {"starts_on": day_input(), "ends_on": day_input(), "shape": forms.Textarea(attrs={"rows": 3})}

    def clean_budget_high(self) -> Decimal:
        return more_than_nothing(self.cleaned_data["budget_high"])

    def clean_budget_low(self) -> Decimal:
        return not_negative(self.cleaned_data["budget_low"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self.ordered("budget_low", "budget_high")
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
        """Bands must not overlap, except those of phases that are over before this one begins, or begin after it."""
        first, end = data.get("volume_from"), data.get("volume_to")
        if first is None or "volume_to" in self.errors:
            return
        meets = self._others().filter(Q(volume_to=None) | Q(volume_to__gt=first))
        if data.get("starts_on"):
            meets = meets.exclude(ends_on__lte=data["starts_on"])
        if data.get("starts_on") and data.get("ends_on"):
            meets = meets.exclude(starts_on__gte=data["ends_on"])
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
        help_texts = {"ends_on": _("The day after its last day."), "budget": _("For the whole stage, not a month.")}
        widgets = {"starts_on": day_input(), "ends_on": day_input()}

    def clean_budget(self) -> Decimal:
        return more_than_nothing(self.cleaned_data["budget"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.swapped("starts_on", "ends_on", _("The stage must end after its first day.")):
            other = overlapping(Stage.objects.exclude(pk=self.instance.pk), data.get("starts_on"), data.get("ends_on"))
            if other:
                self.add_error("starts_on", _("These dates overlap with those of “%(name)s”.") % {"name": other.name})
        return data


class BudgetForm(Named):
    """A budget beside the phases'; what it is for is one choice, so that scope and subject always fit."""

    key = forms.ChoiceField(label=_("For"))

    class Meta:
        model = Budget
        fields = ["name", "low", "high", "carries", "starts_on", "ends_on"]
        labels = {
            "name": _("Name"),
            "low": _("A month, low, USD"),
            "high": _("A month, high, USD"),
            "carries": _("Carry over"),
            "starts_on": _("Starts on"),
            "ends_on": _("Ends before"),
            "scope": _("For"),
            "subject": _("Of"),
        }
        help_texts = {
            "name": _("Empty: named after what it is for."),
            "high": _("Alerts and the forecast use this value."),
            "carries": CARRY_HELP,
            "starts_on": _("The first and the last month count by their share of days."),
            "ends_on": _("The day after its last day. Blank: no end."),
        }
        widgets = {"starts_on": day_input(), "ends_on": day_input()}

    field_order = ("key", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = budget_choices(self.instance.key if self.instance.pk else "")
        self.fields["key"].choices = choices  # type: ignore[attr-defined] # a choice field has them
        self.fields["name"].required = False
        if self.instance.pk:
            self.initial["key"] = self.instance.key
        else:
            self.initial.setdefault("starts_on", timezone.now().astimezone(UTC).date().replace(day=1))

    def clean_low(self) -> Decimal:
        return not_negative(self.cleaned_data["low"])

    def clean_high(self) -> Decimal:
        return more_than_nothing(self.cleaned_data["high"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self.ordered("low", "high")
        scope, _colon, subject = data.get("key", "").partition(":")
        if scope and not self.swapped("starts_on", "ends_on", _("The budget must end after its first day.")):
            others = Budget.objects.about(scope, subject).exclude(pk=self.instance.pk)
            other = overlapping(others, data.get("starts_on"), data.get("ends_on"), open_ends=True)
            if other:
                text = _("These dates overlap with those of “%(name)s”, which is for the same.")
                self.add_error("starts_on", text % {"name": other.name})
        if scope:
            for name, value in subject_fields(scope, subject).items():
                setattr(self.instance, name, value)
        if scope and not data.get("name"):
            data["name"] = dict(flat(self.fields["key"].choices))[data["key"]]  # type: ignore[attr-defined] # as above
        return data


def flat(choices: Any) -> list[tuple[str, str]]:
    """Choices without their groups."""
    pairs: list[tuple[str, str]] = []
    for value, label in choices:
        pairs += label if isinstance(label, list | tuple) else [(value, str(label))]
    return pairs


def budget_choices(current: str) -> list[Any]:
    """What a budget may be for; `current` stays a choice although it no longer exists."""
    applications = list(Application.objects.values_list("slug", "name", "owner__username"))
    owners = sorted({owner for _slug, _name, owner in applications if owner})
    people = {user.username: person(user) for user in User.objects.filter(username__in=owners)}
    groups: list[Any] = [
        ("everything:", _("Everything")),
        (_("Provider"), [(f"provider:{slug}", name) for slug, name in sorted(provider_names().items())]),
        (_("Application"), [(f"application:{slug}", name) for slug, name, _owner in applications]),
        (_("Owner of applications"), [(f"owner:{name}", people[name]) for name in owners]),
        (_("Task"), [(f"task:{value}", label) for value, label in Task.choices]),
    ]
    if current and current not in dict(flat(groups)):
        groups.append((current, current.partition(":")[2]))
    return groups


def overlapping(rows: Any, starts_on: date | None, ends_on: date | None, open_ends: bool = False) -> Any:
    """A row whose dates overlap with these.

    An open end reaches until a later row begins, so it overlaps with none; with `open_ends` it reaches for ever.
    """
    if starts_on is None:
        return None
    if open_ends:
        meets = rows.filter(Q(ends_on=None) | Q(ends_on__gt=starts_on))
        return (meets.filter(starts_on__lt=ends_on) if ends_on else meets).first()
    running = rows.filter(starts_on__lte=starts_on, ends_on__gt=starts_on)
    ahead = rows.filter(starts_on__gt=starts_on, starts_on__lt=ends_on) if ends_on else rows.none()
    same = rows.filter(starts_on=starts_on)
    return same.first() or running.first() or ahead.first()
