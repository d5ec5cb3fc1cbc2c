"""The audit log for its page and its files: filters from the query string, paging, rows as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.audit.place_words import names_that_say, place_in_words
from lib.client_address import parsed
from lib.dates import day_of
from lib.formats import ago, count
from providers.models import Action, AuditEntry
from providers.models.audit import NAME_WORDS, REFUSALS

ACTS, REFUSED, ALL = SHOWS = ("acts", "refused", "all")
PLACES = (Action.REFUSED, Action.EXPORT)  # actions whose object is an address, stored as its URL name
PAGE = 50
COUNTED = 1_000  # above that the page says "more than 1,000", because counting would take longer than the page
BATCH = 2_000
FEW = 2_000  # up to so many matches are fetched by their words and then sorted, see `narrowed`
PEOPLE = 500  # names in the list of suggestions
COLUMNS = (
    "id", "at", "actor_kind", "actor", "actor_id", "address", "action", "object_type", "object_id", "object_name",
    "message", "changes", "count",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """The filter in the query string of the page; invalid values are ignored."""

    show: str = ALL  # one of SHOWS; with an `action` it is ALL
    by: str = ""
    action: str = ""
    what: str = ""  # beginnings of words in the object's name, or its kind as `app.model`
    address: str = ""
    since: date | None = None
    until: date | None = None  # the last day, included

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.keys() - {"show"})

    @property
    def query(self) -> dict[str, str]:
        """The filter as parameters of a query string."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: str(value) for name, value in values.items() if value}


def audit_filter(query: QueryDict, *, show: str) -> AuditFilter:
    """The filter of a query string; `show` is the default for the kind of entries."""
    action, address = query.get("action", ""), parsed(query.get("address", ""))
    show = query.get("show", "") if query.get("show") in SHOWS else show
    return AuditFilter(
        show=ALL if action in Action.values else show,
        by=_text(query.get("by", "")),
        action=action if action in Action.values else "",
        what=_text(query.get("what", "")),
        address=str(address or ""),
        since=day_of(query.get("since", "")),
        until=day_of(query.get("until", "")),
    )


def _text(value: str) -> str:
    return value.replace("\0", "").strip()[:200]


def entries(chosen: AuditFilter) -> QuerySet[AuditEntry]:
    """The entries that match, newest first; each filter has an index of its own."""
    rows = AuditEntry.objects.order_by("-at", "-id")
    if chosen.show != ALL:
        refused = Q(action__in=REFUSALS)
        rows = rows.filter(refused if chosen.show == REFUSED else ~refused)
    if chosen.by:
        rows = rows.filter(actor=chosen.by)
    if chosen.action:
        rows = rows.filter(action=chosen.action)
    if chosen.address:
        rows = rows.filter(address=chosen.address)
    if chosen.since:
        rows = rows.filter(at__gte=datetime.combine(chosen.since, time(), UTC))
    if chosen.until and chosen.until < date.max:
        rows = rows.filter(at__lt=datetime.combine(chosen.until + timedelta(days=1), time(), UTC))
    if chosen.what:
        named = Q(object_name__in=[chosen.what, *names_that_say(chosen.what)])
        kind = Q(object_type=chosen.what.lower()) if "." in chosen.what else Q(name_words=beginnings(chosen.what))
        rows = narrowed(rows.alias(name_words=NAME_WORDS).filter(named | kind))
    return rows


def narrowed(rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """The same entries selected by their ids, if they are few. PostgreSQL assumes that every word is frequent: it would
    scan a million entries from the newest on for a word that does not occur."""
    few = list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])
    return rows if len(few) > FEW else AuditEntry.objects.filter(pk__in=few).order_by("-at", "-id")


def beginnings(text: str) -> SearchQuery:
    """A search for names in which each word of `text` is the beginning of a word, in any order."""
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in text.split())
    return SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")


def thing_in_words(entry: AuditEntry) -> str:
    """The name of an entry's object; for an address the name that people know."""
    return place_in_words(entry.object_name) if entry.action in PLACES else entry.object_name


def headline(chosen: AuditFilter, newest: AuditEntry | None, total: int) -> str:
    """Who did what last and when, and how many entries there are; `newest` is None on later pages."""
    number, is_refusals = min(total, COUNTED), chosen.show == REFUSED
    if newest:
        text = _("Last refusal: <b>{who}</b> {did}, {ago}. {count}")
        if not is_refusals:
            text = _("Last action: <b>{who}</b> {did}, {ago}. {count}")
        more, counted_text = (
            _("More than {n} entries."),
            ngettext("{n} entry.", "{n} entries.", number),
        )
        return format_html(
            text,
            who=newest.actor or _("An unknown caller"),
            did=newest.get_action_display(),
            ago=ago(newest.at),
            count=format_html(more if total > COUNTED else counted_text, n=count(number)),
        )
    if total:
        text = ngettext("{n} entry here.", "{n} entries here.", number)
        return format_html(_("More than {n} entries.") if total > COUNTED else text, n=count(number))
    if chosen.is_filtered:
        return _("No entries match these filters.")
    if is_refusals:
        return _("There are no refusals yet.")
    return _("There are no entries yet.")


def log_heading(chosen: AuditFilter) -> str:
    headings = {
        ACTS: _("Actions, newest first"),
        REFUSED: _("Refusals, newest first"),
        ALL: _("All entries, newest first"),
    }
    return headings[chosen.show]


def empty_words(chosen: AuditFilter) -> tuple[str, str]:
    """Title and text in the place of an empty list."""
    if chosen.is_filtered:
        return _("No entries match"), _("Remove a filter, or show the list without filters.")
    why = _("This log lists sign-ins, changes of settings, prompts that were read, exports and commands.")
    if chosen.show == REFUSED:
        why = _("This log lists refused pages and addresses, failed sign-ins and the use of invalid keys.")
    return _("No entries yet"), why


def older_than(rows: QuerySet[AuditEntry], pk: int) -> QuerySet[AuditEntry]:
    """The entries below an entry in the list, which are older."""
    last = AuditEntry.objects.filter(pk=pk).values_list("at", flat=True).first()
    return rows if last is None else rows.filter(at__lte=last).exclude(at=last, pk__gte=pk)


def counted(rows: QuerySet[AuditEntry]) -> int:
    """The number of entries, at most COUNTED + 1, which means "more than COUNTED"."""
    return rows.order_by()[: COUNTED + 1].count()


def names() -> list[str]:
    """User names for the suggestions of the filter; names of keys and former users have to be typed."""
    return list(User.objects.order_by("username").values_list("username", flat=True)[:PEOPLE])


def plain_rows(chosen: AuditFilter) -> Iterator[tuple[Any, ...]]:
    """All entries that match, newest first, read in batches without a transaction around them."""
    rows, last = entries(chosen), None
    while batch := list((rows if last is None else older_than(rows, last)).values_list(*COLUMNS)[:BATCH]):
        yield from batch
        last = batch[-1][0]


def address_of(base: str, chosen: AuditFilter, **more: Any) -> str:
    query = urlencode(chosen.query | {name: str(value) for name, value in more.items() if value})
    return f"{base}?{query}" if query else base
