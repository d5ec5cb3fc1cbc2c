"""What the pages of imports show and say: the list, a draft with what it becomes, and how far one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, count, duration, sentences, when
from traffic.imports import run, services
from traffic.imports.pace import seconds_left
from traffic.imports.queries import Totals
from traffic.imports.translate import RecordResult
from traffic.models import Import
from traffic.models.imports import ImportState

QUIET = timedelta(seconds=15)  # a worker at work is heard of with each batch, several times a second
MARKS = {"done": "ok", "failed": "bad", "cancelled": "warn", "running": "info", "undoing": "info"}


def mark_of(imported: Import) -> str:
    return MARKS.get(imported.state, "unknown")


def list_headline(totals: Totals, *, any_file: bool) -> str:
    """How many rows came from files; `any_file`: some file is listed, if only one that was taken back."""
    if totals.files:
        text = ngettext(
            "<b>{n} file</b> added <b>{rows} new rows</b>.",
            "<b>{n} files</b> added <b>{rows} new rows</b>.",
            totals.files,
        )
        return format_html(text, n=totals.files, rows=count(totals.requests))
    if any_file:
        return _("No imported data now. You can import requests from earlier tools.")
    return _("No imports yet. You can import requests from earlier tools.")


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is not started, with its first rows as they would land, or why they cannot be read."""

    it: Import
    rows: Sequence[RecordResult]
    problem: str

    @property
    def good(self) -> int:
        return sum(1 for row in self.rows if row.request or row.reported)

    @property
    def bad(self) -> int:
        return sum(1 for row in self.rows if row.problem)

    def headline(self) -> SafeString:
        """How many of the first rows can be stored."""
        if self.problem:
            return format_html(_("<b>{name}</b> cannot be read up to row 20."), name=self.it.file_name)
        text = ngettext(
            "Of the first row of <b>{name}</b>, <b>{good}</b> can be stored",
            "Of the first {n} rows of <b>{name}</b>, <b>{good}</b> can be stored",
            len(self.rows),
        )
        bad = ngettext("and %(n)s has an error.", "and %(n)s have an error.", self.bad) % {"n": self.bad}
        return sentences(format_html(text, n=len(self.rows), name=self.it.file_name, good=self.good), bad)


@dataclass(frozen=True, slots=True)
class Progress:
    """A file that was started, at a moment; `errors` are line and sentence of the first lines that were set aside."""

    it: Import
    now: datetime
    errors: Sequence[Sequence[object]] = ()

    @property
    def mark(self) -> str:
        return mark_of(self.it)

    @property
    def may_go_on(self) -> bool:
        return services.may_go_on(self.it)

    @property
    def quiet(self) -> timedelta | None:
        """For how long nothing was heard of its worker, where that is too long."""
        if not self.it.at_work or self.it.claimed_until is None:
            return None
        quiet = self.now - (self.it.claimed_until - run.CLAIM)
        return quiet if quiet > QUIET else None

    @property
    def said(self) -> str:
        """Changes whenever there is something to say aloud."""
        return f"{self.it.state}-{self.it.percent // 10}"

    @property
    def is_taken_back(self) -> bool:
        """Wholly, or it is under way."""
        return self.it.state in (ImportState.UNDOING, ImportState.UNDONE)

    def headline(self) -> SafeString:
        """What the file brought."""
        it = self.it
        if it.state == ImportState.UNDONE:
            text = _("Import of <b>{name}</b> undone: <b>{rows} rows</b>.")
            return format_html(text, name=it.file_name, rows=count(it.removed))
        text = ngettext(
            "<b>{name}</b> has added <b>{rows} new row</b>",
            "<b>{name}</b> has added <b>{rows} new rows</b>",
            it.accepted,
        )
        before = ngettext("%(n)s existed before", "%(n)s existed before", it.duplicates)
        bad = ngettext("and %(n)s has an error.", "and %(n)s have an error.", it.rejected)
        return format_html(
            "{}, {} {}",
            format_html(text, name=it.file_name, rows=count(it.accepted)),
            before % {"n": count(it.duplicates)},
            bad % {"n": count(it.rejected)},
        )

    def days(self) -> str:
        """The first and the last day of its rows; empty before any was read."""
        if self.it.first_day is None or self.it.last_day is None:
            return ""
        return f"{date_format(self.it.first_day, 'j M Y')} – {date_format(self.it.last_day, 'j M Y')}"

    def heading(self) -> str:
        return _("Running") if self.it.at_work else _("Result")

    def moment(self) -> str:
        """When it ended, else when it began."""
        if self.it.finished_at and not self.it.at_work:
            return when(self.it.finished_at)
        return format_html(_("started {ago}"), ago=ago(self.it.started_at)) if self.it.started_at else ""

    def how_far(self) -> str:
        """Rows and bytes of the whole, and how long the rest takes."""
        waits = [_("waits for a worker")] if self.it.at_work and self.it.claimed_until is None else []
        return " · ".join([self._rows(), *self._pace(), *waits])

    def _rows(self) -> str:
        it, size = self.it, filesizeformat(self.it.size)
        if self.is_taken_back:
            text = ngettext("%(n)s of %(all)s row undone", "%(n)s of %(all)s rows undone", it.accepted)
            return text % {"n": count(it.removed), "all": count(it.accepted)}
        if it.state == ImportState.DONE:
            return ngettext("%(n)s row read, %(size)s", "%(n)s rows read, %(size)s", it.rows) % {
                "n": count(it.rows),
                "size": size,
            }
        read = _("%(at)s of %(all)s") % {"at": filesizeformat(it.offset), "all": size}
        if not it.rows_expected:
            return read
        rows = _("%(n)s of about %(all)s rows") % {"n": count(it.rows), "all": count(it.rows_expected)}
        return f"{rows}, {read}"

    def _pace(self) -> list[str]:
        seconds = seconds_left(self.it.size, self.it.offset, self.it.position)
        if self.it.state != ImportState.RUNNING or seconds is None or self.quiet:
            return []
        left = max(1, round(seconds))
        text = f"{left} s" if left < 60 else duration(timedelta(seconds=left))
        rows = _("%(n)s rows/s") % {"n": count((self.it.position.get("pace") or {}).get("rows"))}
        return [rows, _("about %(time)s left") % {"time": text}]

    def errors_heading(self) -> str:
        text = ngettext("1 line with an error was skipped", "%(n)s lines with an error were skipped", self.it.rejected)
        return text % {"n": count(self.it.rejected)}

    def errors_note(self) -> str:
        """How many of the lines with an error are shown and stand in the file, where that is not all."""
        shown = file = ""
        if self.it.rejected > len(self.errors):
            shown = ngettext("The first one is shown.", "The first %(n)s are shown.", len(self.errors))
            shown %= {"n": len(self.errors)}
        if self.it.rejected > run.ERRORS_KEPT:
            file = _("The file has the first %(most)s.") % {"most": count(run.ERRORS_KEPT)}
        return sentences(shown, file)

    def aloud(self) -> str:
        """How far it is, for who hears it."""
        it = self.it
        if it.removed:
            text = ngettext("%(n)s row undone", "%(n)s rows undone", it.removed) % {"n": count(it.removed)}
        else:
            new = ngettext("%(n)s new row", "%(n)s new rows", it.accepted) % {"n": count(it.accepted)}
            bad = ngettext("%(n)s with an error", "%(n)s with an error", it.rejected) % {"n": count(it.rejected)}
            text = f"{new}, {bad}"
        return f"{it.get_state_display()}: {it.percent} %, {text}"
