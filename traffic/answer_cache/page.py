"""What pages say of the answer cache."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, dollars
from traffic.answer_cache.queries import DAYS, Saved, saved_by_application
from traffic.models import Application


@dataclass(frozen=True, slots=True)
class CacheSection:
    """The section of an application's page."""

    application: Application
    saved: Saved

    @property
    def is_on(self) -> bool:
        return bool(self.application.cache_minutes)

    def headline(self) -> str:
        """Whether the cache is on, and what it saved."""
        if not self.saved.hits:
            return self._kept() if self.is_on else _("Off. Set a time under “People and stored texts” to turn it on.")
        text = ngettext(
            "{time} <b>{n} answer</b> from the cache in {days} days saved <b>{sum}</b>.",
            "{time} <b>{n} answers</b> from the cache in {days} days saved <b>{sum}</b>.",
            self.saved.hits,
        )
        time = self._kept() if self.is_on else _("Off.")
        words = format_html(text, time=time, n=count(self.saved.hits), days=DAYS, sum=dollars(self.saved.cost))
        return format_html("{} {}", words, unpriced_words(self.saved)) if self.saved.unpriced else words

    def _kept(self) -> str:
        minutes = self.application.cache_minutes or 0
        text = ngettext("Answers are kept for %(n)s minute.", "Answers are kept for %(n)s minutes.", minutes)
        return text % {"n": count(minutes)}


def cache_section(application: Application, today: date) -> CacheSection:
    """Read it, in one statement."""
    saved = saved_by_application(today, application)
    return CacheSection(application, saved[0] if saved else Saved())


def unpriced_words(saved: Saved) -> str:
    """How many hits the saving does not count; empty without any."""
    if not saved.unpriced:
        return ""
    text = ngettext(
        "%(n)s of them is not counted: self-hosted or without a price.",
        "%(n)s of them are not counted: self-hosted or without a price.",
        saved.unpriced,
    )
    return text % {"n": count(saved.unpriced)}
