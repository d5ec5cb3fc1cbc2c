"""What the list of requests shows and says, from plain rows. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.template.defaultfilters import floatformat
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, count, dollars, missing, usd4, when
from traffic.marks.rules import labels
from traffic.models import CostReason, Outcome, Rating, Request, Task
from traffic.quality.queries import acceptable
from traffic.requests.hour_reads import READ_MOST
from traffic.requests.params import ActiveFilter, ParsedParams
from traffic.requests.queries import RequestPage
from traffic.usage.reports import UsageGroup

TASKS = dict(Task.choices)
MARKS = {"ok": "ok", "error": "bad", "timeout": "bad", "cancelled": "info", "refused": "warn"}


@dataclass(frozen=True, slots=True)
class Row:
    """A request with what the list says about it."""

    it: Request
    ratings: Sequence[Rating]
    text_marks: Sequence[str] = field(default=(), kw_only=True)  # automatic ones, in words

    @property
    def mark(self) -> str:
        return MARKS.get(self.it.outcome, "unknown")

    @property
    def task(self) -> str:
        """As people call it; Django's own way to ask looks every list of choices through for what cannot be hashed."""
        return str(TASKS.get(self.it.task, self.it.task))

    @property
    def word(self) -> str:
        return str(Outcome(self.it.outcome).label) if self.it.outcome in Outcome.values else self.it.outcome

    @property
    def input(self) -> int | None:
        """All input tokens, cached or not."""
        classes = (self.it.uncached_input, self.it.cache_read, self.it.cache_write_5m, self.it.cache_write_1h)
        return None if self.it.uncached_input is None else sum(count or 0 for count in classes)

    @property
    def cached(self) -> float | None:
        """Share of the input that was read from the cache."""
        return (self.it.cache_read or 0) / self.input if self.input else None

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens by the time after the first one."""
        if not self.it.output or self.it.latency_ms is None:
            return None
        generating = self.it.latency_ms - (self.it.ttft_ms or 0 if self.it.streamed else 0)
        return self.it.output / generating * 1000 if generating > 0 else None

    @property
    def stars(self) -> float | None:
        stars = [rating.stars for rating in self.ratings if rating.stars is not None]
        return sum(stars) / len(stars) if stars else None

    @property
    def leased(self) -> bool:
        """Whether it ran on our own lease, so that it has no cost of its own."""
        return self.it.cost_reason == CostReason.LEASED

    def cost(self) -> str:
        """The cell of its cost, USD, or why there is none."""
        if self.it.cost is not None:
            return usd4(self.it.cost)
        reason = self.it.get_cost_reason_display()
        if self.leased:
            return format_html('<span class="none" title="{}">{}</span>', reason, _("self-hosted"))
        return format_html('<span title="{}">{}</span>', reason, missing())

    def judgement(self) -> str:
        """The cell of its ratings: the mean of the stars, else whether they find it acceptable."""
        if self.stars:
            return _("%(stars)s of 5") % {"stars": floatformat(self.stars, "-1")}
        if not self.ratings:
            return missing("dash")
        return _("acceptable") if any(map(acceptable, self.ratings)) else _("not acceptable")


def rows(
    requests: Sequence[Request],
    ratings: Mapping[uuid.UUID, Sequence[Rating]],
    marks: Mapping[uuid.UUID, int] | None = None,
) -> list[Row]:
    bits = marks or {}
    return [Row(row, ratings.get(row.id, ()), text_marks=labels(bits.get(row.id, 0))) for row in requests]


@dataclass(frozen=True, slots=True)
class RequestList:
    """A page of the list, and what its sentences say: `sums` are those of the days asked for, else of 24 hours."""

    read: RequestPage
    rows: Sequence[Row]
    refused: Sequence[str]  # why nothing is shown
    params: ParsedParams
    active_filters: Sequence[ActiveFilter]
    sums: UsageGroup | None
    is_first: bool  # of the pages of the list

    @property
    def money(self) -> bool:
        return self.params.money

    @property
    def filtered(self) -> bool:
        return self.params.filtered

    @property
    def by_days(self) -> bool:
        return self.params.request_filter.since is not None or self.params.request_filter.until is not None

    @property
    def newest(self) -> datetime | None:
        first = self.read.requests[0] if self.read.requests and self.is_first and not self.params.sort else None
        return first.started_at if first else None

    @property
    def mine_only(self) -> bool:
        return self.params.request_filter.applications is not None

    @property
    def no_applications(self) -> bool:
        return self.mine_only and not self.params.request_filter.applications

    @property
    def narrowing(self) -> Sequence[ActiveFilter]:
        """The filters that the sums do not know."""
        return [active_filter for active_filter in self.active_filters if not active_filter.counted]

    @property
    def is_whole(self) -> bool:
        """Whether this page has every request that passes."""
        ends = (self.read.next, self.read.reached, self.read.sorted_since)
        return self.is_first and ends == (None, None, None)

    def headline(self) -> str:
        """How many requests there are, and what is odd about them."""
        if self.no_applications:
            return _("You see requests of your own applications, and you have none yet.")
        if self.refused:
            return _("No requests: a filter is not valid.")
        if self.sums is not None:
            return self._with_and_without_filters(self.sums) if self.narrowing else self._counted(self.sums)
        if self.by_days:
            return _("No requests on these days match these filters.")
        if self.newest is not None:
            sentence = _("No requests in the last 24 hours. The newest one started {ago}.")
            return format_html(sentence, ago=ago(self.newest))
        if self.params.sort and self.rows:
            return _("No requests in the last 24 hours.")
        if self.filtered:
            return _("No requests in the last 24 hours match these filters.")
        return _("There are no requests yet.")

    def _with_and_without_filters(self, sums: UsageGroup) -> SafeString:
        start = _("No matches:")
        if self.rows or self.read.reached:
            start = _("Filtered:")
        filters = [
            (format_html("{} <b>{}</b>", active.label, active.value) if active.value else active.label,)
            for active in self.narrowing
        ]
        start = format_html("{} {}", start, format_html_join(", ", "{}", filters))
        if self.by_days and self.rows and self.is_whole:
            text = ngettext(
                "{filtered} (<b>{n}</b> of {all} request on these days).",
                "{filtered} (<b>{n}</b> of {all} requests on these days).",
                sums.requests,
            )
            return format_html(text, filtered=start, n=count(len(self.rows)), all=count(sums.requests))
        without = ngettext(
            "Without filters: <b>{all} request</b> {when}.",
            "Without filters: <b>{all} requests</b> {when}.",
            sums.requests,
        )
        without = format_html(without, all=count(sums.requests), when=self._when())
        return format_html("{}. {}", start, without)

    def _counted(self, sums: UsageGroup) -> SafeString:
        text = ngettext("<b>{all} request</b> {when}", "<b>{all} requests</b> {when}", sums.requests)
        parts: list[str] = [format_html(text, all=count(sums.requests), when=self._when())]
        if sums.errors:
            text = ngettext(", <b>{failed}</b> failed", ", <b>{failed}</b> failed", sums.errors)
            parts.append(format_html(text, failed=count(sums.errors)))
        else:
            parts.append(_(", none failed"))
        return format_html_join("", "{}", [*((part,) for part in parts), (".",)])

    def incomplete(self) -> str:
        """How many of the counted requests lack a price or token counts; empty where none does."""
        if self.sums is None or self.narrowing:
            return ""
        parts = []
        if self.money and (unpriced := self.sums.unpriced_requests):
            text = ngettext("%(n)s without a price", "%(n)s without a price", unpriced)
            parts.append(text % {"n": count(unpriced)})
        if unknown := self.sums.unknown_usage_requests:
            text = ngettext("%(n)s without token counts", "%(n)s without token counts", unknown)
            parts.append(text % {"n": count(unknown)})
        return ", ".join(parts)

    def _when(self) -> str:
        return _("on these days") if self.by_days else _("in the last 24 hours")

    def spent(self) -> str:
        """What the counted requests cost; empty where that is not known, or not for this reader."""
        if not self.money or self.sums is None or self.narrowing:
            return ""
        text = _("%(sum)s on these days") if self.by_days else _("%(sum)s in 24 hours")
        text %= {"sum": dollars(self.sums.cost)}
        if leased := self.sums.leased_requests:
            more = ngettext(", %(n)s more self-hosted", ", %(n)s more self-hosted", leased)
            text += more % {"n": count(leased)}
        return text

    def days(self) -> str:
        """The days asked for, in UTC; an end that is not bounded is left out."""
        since, until = self.params.request_filter.since, self.params.request_filter.until
        words = [_("from %(day)s") % {"day": date_format(since, "j M Y")}] if since else []
        words += [_("before %(day)s") % {"day": date_format(until, "j M Y")}] if until else []
        return f"{' '.join(words)}, UTC"

    def sorted_note(self) -> str:
        """Among which requests the order holds; empty where it holds among all that pass."""
        if self.read.sorted_since is None:
            return ""
        text = _(
            "Sorted among the requests since {since}, because a page reads about {n} requests. Choose days, a model or"
            " an application to sort others."
        )
        return format_html(text, since=when(self.read.sorted_since), n=count(READ_MOST))

    def heading(self) -> str:
        if self.params.sort:
            return _("Filtered requests") if self.filtered else _("All requests")
        return _("Filtered requests, newest first") if self.filtered else _("Newest first")

    def note(self) -> str:
        """What opens with a click."""
        if self.money:
            return _("each opens with its timeline, tokens and cost")
        return _("each opens with its timeline and tokens")

    def files_label(self) -> str:
        return _("Download filtered requests:") if self.filtered else _("Download all requests:")
