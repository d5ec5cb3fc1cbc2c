"""A heartbeat's form."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.forms import LengthField, bounded, free_slug, length
from providers.heartbeats.services import BadCron, next_run
from providers.models import Heartbeat

if TYPE_CHECKING:
    HeartbeatModelForm = forms.ModelForm[Heartbeat]
else:  # takes no parameter at run time
    HeartbeatModelForm = forms.ModelForm

LEAST_S, MOST_PERIOD_S, MOST_GRACE_S = 30, 366 * 86_400, 31 * 86_400


class HeartbeatForm(HeartbeatModelForm):
    """A job and when it is expected; its slug is what alerts call it, and stays."""

    period_s = LengthField(
        label=gettext_lazy("Every"),
        required=False,
        help_text=gettext_lazy("As 30 min, 12 h or 1 d, without a cron schedule."),
    )
    grace_s = LengthField(
        label=gettext_lazy("Grace period"),
        help_text=gettext_lazy("Allowed delay of a ping, and longest run after a start ping."),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=50,
        required=False,
        help_text=gettext_lazy("For the cron schedule, as Europe/Rome. Blank: UTC."),
    )

    class Meta:
        model = Heartbeat
        fields = ["name", "slug", "schedule", "period_s", "cron", "time_zone", "grace_s"]
        labels = {
            "name": gettext_lazy("Name"),
            "slug": gettext_lazy("Short name"),
            "schedule": gettext_lazy("Expected"),
            "cron": gettext_lazy("Cron schedule"),
        }
        help_texts = {
            "slug": gettext_lazy("Used in alerts. It cannot be changed later. Blank: from the name."),
            "cron": gettext_lazy("Minute, hour, day of month, month, day of week, as 30 2 * * 1-5."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["slug"].required = False
        if self.instance.pk:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"] or "")
        if slug == "add" or (slug and Heartbeat.objects.not_deleted().filter(slug=slug).exists()):
            raise forms.ValidationError(_("This name is taken. Choose another."))
        return slug

    def clean_period_s(self) -> int:
        value = self.cleaned_data["period_s"]
        return bounded_length(value, MOST_PERIOD_S) if value is not None else self.instance.period_s

    def clean_grace_s(self) -> int:
        return bounded_length(self.cleaned_data["grace_s"], MOST_GRACE_S)

    def clean_time_zone(self) -> str:
        name = self.cleaned_data["time_zone"] or "UTC"
        if name not in zoneinfo.available_timezones():
            raise forms.ValidationError(_("There is no time zone of this name."))
        return str(name)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("schedule") == Heartbeat.Schedule.CRON and "time_zone" in cleaned:
            try:
                next_run(cleaned.get("cron", ""), cleaned["time_zone"], timezone.now())
            except BadCron as bad:
                self.add_error("cron", str(bad))
        return cleaned

    def filled(self) -> Heartbeat:
        """The heartbeat as the form says, not saved."""
        if not self.instance.slug:
            self.instance.slug = free_slug(self.instance.name, "job", Heartbeat)
        return self.instance


def bounded_length(seconds: int, most: int) -> int:
    """A length within bounds, or a sentence that names them."""
    try:
        return bounded(seconds, LEAST_S, most)
    except forms.ValidationError:
        bounds = {"least": length(LEAST_S), "most": length(most)}
        raise forms.ValidationError(_("From %(least)s to %(most)s.") % bounds) from None
