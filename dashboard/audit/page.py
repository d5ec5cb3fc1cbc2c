"""The audit log as its page and its files read it: filters of the address, pages by place, rows as plain values."""

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
PLACES = (Action.REFUSED, Action.EXPORT)  # whose thing is an address, by the URL conf's name
PAGE = 50
COUNTED = 1_000  # more are "more than 1,000": to count ten thousand takes longer than to show a page
BATCH = 2_000
FEW = 2_000  # entries that are sorted when they are found, not found in their order
PEOPLE = 500  # names in the list of suggestions
COLUMNS = (
    "id", "at", "actor_kind", "actor", "actor_id", "address", "action", "object_type", "object_id", "object_name",
    "message", "changes", "count",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the log the page's address asks for; a value that makes no sense is ignored."""

    show: str = ALL  # one of SHOWS; an act that is asked for by itself is looked for among all
    by: str = ""
    action: str = ""
    what: str = ""  # how words of a thing's name begin, or its kind as `app.model`
    address: str = ""
    since: date | None = None
    until: date | None = None  # the last day

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.keys() - {"show"})

    @property
    def query(self) -> dict[str, str]:
        """As the address says it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: str(value) for name, value in values.items() if value}


def audit_filter(query: QueryDict, *, show: str) -> AuditFilter:
    """The filter of an address; `show` where it does not say which kind."""
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
    """The entries that are asked for, newest first; each filter has an index of its own."""
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
    """The same by their numbers, where they are few: the planner takes every word for a common one, and would walk a
    million entries from the newest on in search of a word that nobody wrote."""
    few = list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])
    return rows if len(few) > FEW else AuditEntry.objects.filter(pk__in=few).order_by("-at", "-id")


def beginnings(text: str) -> SearchQuery:
    """Names in which each of the text's words begins a word, in any order."""
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in text.split())
    return SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")


def thing_in_words(entry: AuditEntry) -> str:
    """The name of an entry's thing; of an address what people call it."""
    return place_in_words(entry.object_name) if entry.action in PLACES else entry.object_name


def headline(chosen: AuditFilter, newest: AuditEntry | None, total: int) -> str:
    """Who did the newest thing when, and how many entries there are; `newest` is None below the first page."""
    number, is_refusals = min(total, COUNTED), chosen.show == REFUSED
    if newest:
        text = _("The last refusal on record: <b>{who}</b> {did}, {ago}; {count}")
        if not is_refusals:
            text = _("The last act on record: <b>{who}</b> {did}, {ago}; {count}")
        more, counted_text = (
            _("there are more than {n} entries."),
            ngettext("{n} entry is on record.", "{n} entries are on record.", number),
        )
        return format_html(
            text,
            who=newest.actor or _("Nobody we know"),
            did=newest.get_action_display(),
            ago=ago(newest.at),
            count=format_html(more if total > COUNTED else counted_text, n=count(number)),
        )
    if total:
        text = ngettext("{n} entry is on record here.", "{n} entries are on record here.", number)
        return format_html(
            _("There are more than {n} entries on record.") if total > COUNTED else text, n=count(number)
        )
    if chosen.is_filtered:
        return _("Nothing on record passes these filters.")
    if is_refusals:
        return _("Nothing was refused to anybody yet.")
    return _("Nothing that anybody did is on record yet.")


def log_heading(chosen: AuditFilter) -> str:
    headings = {
        ACTS: _("What was done, newest first"),
        REFUSED: _("What was refused, newest first"),
        ALL: _("Everything on record, newest first"),
    }
    return headings[chosen.show]


def empty_words(chosen: AuditFilter) -> tuple[str, str]:
    """What stands in the place of the list where no entry is shown: a title, and what would stand here."""
    if chosen.is_filtered:
        return _("Nothing passes these filters"), _("Leave one out, or show the list without filters.")
    why = _("Who signs in, who changes a setting, reads a prompt, exports, or runs a command is written down here.")
    if chosen.show == REFUSED:
        why = _("Who is refused a page or an address, fails to sign in, or uses a dead key is written down here.")
    return _("Nothing yet"), why


def older_than(rows: QuerySet[AuditEntry], pk: int) -> QuerySet[AuditEntry]:
    """Those that stand below an entry in the list."""
    last = AuditEntry.objects.filter(pk=pk).values_list("at", flat=True).first()
    return rows if last is None else rows.filter(at__lte=last).exclude(at=last, pk__gte=pk)


def counted(rows: QuerySet[AuditEntry]) -> int:
    """How many there are; one more than COUNTED stands for all beyond."""
    return rows.order_by()[: COUNTED + 1].count()


def names() -> list[str]:
    """People who may be asked for; keys and those who are gone are typed."""
    return list(User.objects.order_by("username").values_list("username", flat=True)[:PEOPLE])


def plain_rows(chosen: AuditFilter) -> Iterator[tuple[Any, ...]]:
    """All that is asked for, oldest last, read in batches with no transaction between them."""
    rows, last = entries(chosen), None
    while batch := list((rows if last is None else older_than(rows, last)).values_list(*COLUMNS)[:BATCH]):
        yield from batch
        last = batch[-1][0]


def address_of(base: str, chosen: AuditFilter, **more: Any) -> str:
    query = urlencode(chosen.query | {name: str(value) for name, value in more.items() if value})
    return f"{base}?{query}" if query else base
