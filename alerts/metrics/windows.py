"""The stretches of time that a figure is of: up to now, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop


class Window(StrEnum):
    """Hours are whole ones of the rollups: "the last hour" is the last full one and what has begun since."""

    NOW = "now"
    HOUR = "hour"
    LAST_DAY = "24h"
    TODAY = "today"
    MONTH = "month"
    LAST_MONTH = "30d"

    @property
    def words(self) -> str:
        return _(WORDS[self])

    @property
    def hourly(self) -> bool:
        """Whether it is read from the hours, else from the days."""
        return self in (Window.HOUR, Window.LAST_DAY)

    def since(self, now: datetime) -> datetime:
        """Its first moment."""
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        day = hour.replace(hour=0)
        return {
            Window.NOW: hour,
            Window.HOUR: hour - timedelta(hours=1),
            Window.LAST_DAY: hour - timedelta(hours=24),
            Window.TODAY: day,
            Window.MONTH: day.replace(day=1),
            Window.LAST_MONTH: day - timedelta(days=29),
        }[self]


WORDS = {
    Window.NOW: gettext_noop("now"),
    Window.HOUR: gettext_noop("in the last hour"),
    Window.LAST_DAY: gettext_noop("in the last 24 hours"),
    Window.TODAY: gettext_noop("today"),
    Window.MONTH: gettext_noop("this month"),
    Window.LAST_MONTH: gettext_noop("in the last 30 days"),
}
