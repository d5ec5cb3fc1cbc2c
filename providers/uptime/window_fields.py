"""The fields by which a window comes again, for the forms of maintenance and of silences."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.recurring_windows import STEPS, first_span, is_skipped
from lib.time_spans import Span
from providers.models import Repeats


class AgainForm(forms.Form):
    """How a window comes again. Its times are those of the clock in its zone."""

    zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=60,
        required=False,
        initial=timezone.get_current_timezone_name,
        widget=forms.TextInput(attrs={"placeholder": "UTC", "spellcheck": "false"}),
        help_text=gettext_lazy("For the times above, like Europe/Berlin."),
    )
    repeats = forms.ChoiceField(label=gettext_lazy("Repeats"), choices=Repeats.choices, required=False)
    repeats_until = forms.DateField(
        label=gettext_lazy("Repeats until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Last day. Blank: no end."),
    )

    def clean_zone(self) -> str:
        name = self.cleaned_data["zone"].strip().replace(" ", "_") or "UTC"
        zone_name = {zone.lower(): zone for zone in available_timezones()}.get(name.lower())
        if zone_name is None:
            raise forms.ValidationError(_("There is no time zone of this name. Use a name like Europe/Berlin."))
        return zone_name

    def between(self, start: datetime, end: datetime) -> Span:
        """Two moments as the fields read them, by the clock of the form's zone."""
        clock, zone = timezone.make_naive(start, UTC), ZoneInfo(self.cleaned_data["zone"])
        if self.cleaned_data["repeats"] and is_skipped(clock, zone):
            # The first window says on which hours all others come; moved, it would say the wrong ones for good.
            self.add_error("starts_at", _("This time does not exist on that day in this zone. Choose another day."))
        return first_span(clock, timezone.make_naive(end, UTC), zone)

    def check_again(self, first: Span) -> datetime | None:
        """Adds what is wrong with coming again to the fields; when it has come for the last time."""
        repeats, last = self.cleaned_data["repeats"], self.cleaned_data.get("repeats_until")
        if not repeats:
            return None
        if first.end - first.start > STEPS[repeats]:
            self.add_error("repeats", _("A window must end before it repeats."))
        until = end_of_day(last, self.cleaned_data["zone"]) if last else None
        if until and until <= max(first.start, timezone.now()):
            self.add_error("repeats_until", _("This is before the window repeats."))
        return until


def end_of_day(on: date, zone: str) -> datetime:
    return datetime.combine(on + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
