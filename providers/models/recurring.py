"""What comes again on the same hours of every day or week: maintenance, and by inheritance the alerts' silences."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.recurring_windows import RecurringWindow, wall
from lib.time_spans import Span


class Repeats(models.TextChoices):
    NEVER = "", gettext_lazy("once")
    DAILY = "day", gettext_lazy("every day")
    WEEKLY = "week", gettext_lazy("every week")


class Recurring(models.Model):
    """Columns of a window that may come again; whoever inherits says which is the first."""

    repeats = models.CharField(max_length=5, choices=Repeats.choices, blank=True)
    zone = models.CharField(max_length=60, default="UTC")  # IANA name, by whose clock it comes again
    repeats_until = models.DateTimeField(null=True, blank=True)  # NULL: for good

    class Meta:
        abstract = True

    @property
    def first(self) -> Span:
        """From when to when it is the first time; a model cannot be an abstract class of Python's as well."""
        raise NotImplementedError(f"{type(self).__name__} does not define which window is the first")

    @property
    def recurring_window(self) -> RecurringWindow:
        return RecurringWindow(self.first, self.repeats, self.zone, self.repeats_until if self.repeats else None)

    def end_label(self) -> str:
        """What the button does that ends it: one that is not under way, or comes again, is deleted."""
        return _("Delete") if self.repeats or self.first.start > timezone.now() else _("End now")

    @property
    def rhythm(self) -> str:
        """`every Sunday 02:00-04:00 Europe/Berlin until 1 Mar 2027`; empty of one that comes once."""
        if not self.repeats:
            return ""
        zone = ZoneInfo(self.zone)
        start, end = wall(self.first.start, zone), wall(self.first.end, zone)
        values = {
            "day": date_format(start, "l") if self.repeats == Repeats.WEEKLY else _("day"),
            "hours": f"{start:%H:%M}\N{EN DASH}{end:%H:%M}",
            "zone": self.zone,
        }
        if self.repeats_until is None:
            return _("every %(day)s %(hours)s %(zone)s") % values
        last = date_format(wall(self.repeats_until - timedelta(seconds=1), zone), "j M Y")
        return _("every %(day)s %(hours)s %(zone)s until %(last)s") % {**values, "last": last}


def may_hold(end: str, since: datetime) -> Q:
    """Rows whose windows are not all over; `end` names the column at which the first ends."""
    again = ~Q(repeats="") & (Q(repeats_until=None) | Q(repeats_until__gt=since))
    return Q(**{f"{end}__gt": since, "repeats": ""}) | again
