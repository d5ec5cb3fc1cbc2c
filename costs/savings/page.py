"""The savings page: each finding as a sentence with its figures and a link to its requests or machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs import savings
from costs.models import Finding, FindingKind, Search
from lib.formats import day_text, dollars, percent, sentences, usd4, when
from lib.money import ZERO
from lib.paging import Sorts, in_order
from providers.models import OfferKind, provider_name
from traffic.models import Task
from traffic.quality.queries import COMPARED_DAYS

Evidence = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SavingRow:
    """A finding as the page shows it. `sentence` says what was observed, `assumed` what the saving assumes."""

    finding: Finding
    title: str
    sentence: str
    assumed: str
    url: str  # of its requests or its machine
    behind: str  # title of the finding that counts the same tokens or hours in its place
    outcome: savings.Outcome | None

    @property
    def grown(self) -> bool:
        """Whether it is open again after a dismissal, because it has grown."""
        return self.finding.state == Finding.State.OPEN and self.finding.decided_monthly is not None

    @property
    def decided_by(self) -> str:
        person = self.finding.decided_by
        return person.get_full_name() or person.get_username() if person else ""

    def link_words(self) -> str:
        return _("the machine") if self.finding.lease_id else _("the requests")

    def grown_note(self) -> str:
        """Why it is shown again after a dismissal; empty if it was never dismissed."""
        if not self.grown:
            return ""
        words = {"sum": dollars(self.finding.decided_monthly), "reason": self.finding.reason}
        return _("Dismissed at %(sum)s (“%(reason)s”); it has grown since.") % words

    def behind_note(self) -> str:
        text = _("“%(other)s” is about the same tokens or hours and counts instead.")
        return text % {"other": self.behind} if self.behind else ""

    def before_span(self) -> str:
        return measured_span(self.finding.before)

    def after_span(self) -> str:
        return measured_span(self.finding.after)

    @property
    def mark(self) -> str:
        return MARKS.get(self.outcome.state, "unknown") if self.outcome else "unknown"

    def verdict(self) -> str:
        """The result of the verification of an accepted saving, in a word or two."""
        return {
            "arrived": _("arrived"), "partly": _("in part"), "failed": _("did not arrive"),
            "waiting": _("not yet enough days"),
        }.get(self.outcome.state if self.outcome else "", _("cannot be told"))  # fmt: skip

    def verdict_note(self) -> str:
        """How much of the saving was measured, or why that is unknown; empty if it failed."""
        if self.outcome is None or self.outcome.state == "failed":
            return ""
        if self.outcome.state == "noise":
            return _("days differ by as much without it")
        if self.outcome.state == "moved":
            return _("work moved to or from our own machines meanwhile")
        if self.outcome.state == "waiting":
            left = max(savings.NEEDED_DAYS - self.outcome.days, 0)
            return ngettext("one whole day to go", "%(n)s whole days to go", left) % {"n": left}
        return _("%(share)s of what was promised") % {"share": percent(self.outcome.share)}


MARKS = {"arrived": "ok", "partly": "warn", "failed": "bad", "waiting": "info"}


def measured_span(measured: dict[str, Any] | None) -> str:
    """The unit and the days of a measurement: `USD a request, 14 days from 3 June`."""
    if not measured or not measured["days"]:
        return _("no whole day yet")
    units = {"request": _("USD a request"), "day": _("USD a day")}
    text = ngettext("{unit}, one day from {since}", "{unit}, {n} days from {since}", measured["days"])
    unit = units.get(measured["unit"], _("USD a GPU hour"))
    return format_html(text, unit=unit, n=measured["days"], since=when(date.fromisoformat(measured["since"])))


@dataclass(frozen=True, slots=True)
class Savings:
    """The whole page, USD a month; `total` is of the open findings and counts no token or hour twice."""

    open: list[SavingRow]
    accepted: list[SavingRow]
    dismissed: list[SavingRow]
    total: Decimal
    arrived: Decimal  # measured savings of the accepted findings
    arrived_rows: int
    search: Search | None

    @property
    def unjudged_prompts(self) -> Decimal:
        return Decimal((self.search.unjudged if self.search else {}).get("prompts", 0))

    def answer(self) -> SafeString:
        return sentences(self._open(), self._arrived())

    def _open(self) -> str:
        if self.search is None:
            return _(
                "Nobody has looked yet; the first search is made within ten minutes of the first requests, then once a"
                " day."
            )
        if not self.open:
            return _("Nothing is paid without need, as far as two weeks of requests can tell.")
        text = ngettext(
            "<b>One way to save</b> is open, worth <b>{sum} a month</b>.",
            "<b>{n} ways to save</b> are open, together worth <b>{sum} a month</b>.",
            len(self.open),
        )
        return format_html(text, n=len(self.open), sum=dollars(self.total))

    def _arrived(self) -> str:
        if not self.arrived_rows:
            return ""
        text = ngettext(
            "One that was accepted has been measured since: <b>{sum} a month</b>.",
            "{n} that were accepted have been measured since: <b>{sum} a month</b>.",
            self.arrived_rows,
        )
        return format_html(text, n=self.arrived_rows, sum=dollars(self.arrived))


# What each of the three lists can be sorted by; what another list has alone leaves it as it is.
SORTS: Sorts = {
    "title": lambda row: row.title,
    "monthly": lambda row: row.finding.monthly,
}
ACCEPTED_SORTS: Sorts = {
    "title": lambda row: row.title,
    "decided": lambda row: row.finding.decided_at,
    "promised": lambda row: row.finding.decided_monthly,
    "before": lambda row: row.outcome and row.outcome.before,
    "since": lambda row: row.outcome and row.outcome.after,
    "arrived": lambda row: row.outcome and row.outcome.monthly,
    "verdict": lambda row: row.verdict(),
}
DISMISSED_SORTS: Sorts = {
    "title": lambda row: row.title,
    "reason": lambda row: row.finding.reason,
    "then": lambda row: row.finding.decided_monthly,
    "decided": lambda row: row.finding.decided_at,
}


def page(sort: str = "") -> Savings:
    """Read the page in three statements, independent of the traffic."""
    findings = list(Finding.objects.select_related("application", "lease__account", "decided_by"))
    titles = {finding.key: title(finding) for finding in findings}
    rows = [row(finding, titles) for finding in findings]
    state = Finding.State
    accepted = [shown for shown in rows if shown.finding.state == state.ACCEPTED]
    dismissed = [shown for shown in rows if shown.finding.state == state.DISMISSED]
    open_ = [shown for shown in rows if shown.finding.state == state.OPEN]
    arrived = [shown.outcome.monthly for shown in accepted if shown.outcome and shown.outcome.monthly is not None]
    return Savings(
        open=in_order(open_, SORTS, sort),
        accepted=in_order(sorted(accepted, key=decided, reverse=True), ACCEPTED_SORTS, sort),
        dismissed=in_order(sorted(dismissed, key=decided, reverse=True), DISMISSED_SORTS, sort),
        total=sum((finding.monthly for finding in findings if finding.counts), ZERO),
        arrived=sum(arrived, ZERO),
        arrived_rows=len(arrived),
        search=Search.objects.first(),
    )


def finding_of(pk: int) -> Finding:
    """A finding by its key. Raises Http404."""
    return get_object_or_404(Finding.objects.select_related("application", "lease"), pk=pk)


def decided(row: SavingRow) -> Any:
    return row.finding.decided_at


def row(finding: Finding, titles: Mapping[str, str]) -> SavingRow:
    sentence, assumed = WORDS[FindingKind(finding.kind)](finding, finding.evidence)
    return SavingRow(
        finding,
        title(finding),
        sentence,
        assumed,
        evidence_url(finding),
        titles.get(finding.behind, ""),
        savings.outcome(finding),
    )


def title(finding: Finding) -> str:
    """`Website chat, chat: a smaller model does as well`."""
    return _("%(whose)s: %(what)s") % {"whose": whose(finding), "what": what(finding)}


def whose(finding: Finding) -> str:
    if finding.lease is not None:
        return str(finding.lease)
    name = finding.application.name if finding.application else _("Requests of no application")
    return f"{name}, {task_name(finding.task)}"


def task_name(task: str) -> str:
    return str(Task(task).label) if task in Task.values else task


def what(finding: Finding) -> str:
    to = finding.evidence
    return {
        FindingKind.CACHE: _("cache the prompts that repeat"),
        FindingKind.UNREAD: _("do not write to the cache what nobody reads"),
        FindingKind.BATCH: _("send it as a batch"),
        FindingKind.SMALLER: _("%(model)s does it as well") % {"model": to.get("to_model", "")},
        FindingKind.OUTPUT: _("ask for shorter answers"),
        FindingKind.IDLE: {
            "stopped": _("end it, it is stopped and still billed"),
            "no_requests": _("stop it, it has no requests"),
        }.get(to.get("way", ""), _("stop it in hours without requests")),
        FindingKind.RENT: _("rent it as %(kind)s") % {"kind": kind_name(to.get("offer_kind", ""))},
        FindingKind.OFFER: _("the same GPU at %(name)s") % {"name": provider_name(to.get("offer_provider", ""))},
    }[FindingKind(finding.kind)]


def kind_name(kind: str) -> str:
    return str(OfferKind(kind).label) if kind in OfferKind.values else kind


def evidence_url(finding: Finding) -> str:
    """The address of the requests of the days that it was computed from, or of the machine."""
    if finding.lease is not None:
        return reverse("costs:lease", args=[finding.lease.pk])
    query = {"application": finding.application.slug} if finding.application else {}
    query |= {"provider": finding.provider, "model": finding.model, "task": finding.task}
    query |= {"from": finding.since.isoformat(), "to": finding.until.isoformat()}
    return f"{reverse('traffic:requests')}?{urlencode(query)}"


# One function for each kind of finding: what was observed, and what the saving assumes.


def cache_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _(
        "Of %(texts)s prompts looked at, %(repeating)s begin like another one and are paid in full: "
        "%(share)s of all input that is not cached."
    )
    assumed = _(
        "At the present pace the next such prompt comes within %(minutes)s minutes in %(hit)s of the cases; the others "
        "write the cache. Texts and tokens are taken to be in proportion."
    )
    return filled_in(sentence, seen), filled_in(assumed, seen)


def unread_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _(
        "Of %(written)s tokens written to the cache, at least %(unread)s were read by nobody within their hour: "
        "more were written than read."
    )
    assumed = _("What nobody reads is sent as plain input. What the mended cache would save on top is not counted.")
    return filled_in(sentence, seen), assumed


def batch_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    if seen.get("declared"):
        sentence = _("%(live)s requests call themselves batch work and were sent live.")
    else:
        sentence = _(
            "%(live)s requests were sent live; of %(sample)s looked at none was streamed or names an end user."
        )
    assumed = _("Nobody waits for these answers: a batch may take a day, and costs %(factor)s of every rate.")
    return filled_in(sentence, seen), filled_in(assumed, seen)


def smaller_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _(
        "%(requests)s requests went to %(model)s. Of this task’s answers rated in the %(days)s days to %(day)s,"
        " %(acceptable)s of %(to_model)s are acceptable (%(ratings)s ratings) against %(acceptable_now)s"
        " (%(ratings_now)s)."
    )
    assumed = _(
        "As many tokens on either model, at %(price_share)s of the price. The share of good answers is at most "
        "%(worse)s lower, with 95 %% confidence."
    )
    worse = max(-seen.get("gap", [0, 0, 0])[1], 0)
    seen = {**seen, "model": finding.model, "days": COMPARED_DAYS, "day": day_text(finding.until)}
    return filled_in(sentence, seen), filled_in(assumed, {**seen, "worse": worse})


def output_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _(
        "All but one in twenty of the %(accepted)s answers that people accepted have at most %(limit)s tokens; "
        "%(over)s of all output lies past that (mean %(mean)s)."
    )
    return filled_in(sentence, seen), filled_in(
        _("No answer is longer than %(limit)s tokens, and none is asked for twice."), seen
    )


def idle_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    if seen.get("way") in ("stopped", "no_requests"):
        sentence = {
            "stopped": _("It has been stopped for %(stoppable)s hours and costs $%(price)s an hour."),
            "no_requests": _("It ran for %(running)s hours without a request and costs $%(price)s an hour."),
        }[seen["way"]]
        seen = {**seen, "price": usd4(Decimal(seen["price"]))}
        return filled_in(sentence, seen), _("A month has 730 hours. What is on its disk is not needed.")
    sentence = _("Of %(running)s hours that it ran, %(idle)s had no request.")
    assumed = _("It stands still in %(stoppable)s of them: stretches of three hours and more, less one for the start.")
    if not seen.get("disk_known"):
        assumed += " " + _("What its disk goes on costing is not known and not taken off.")
    return filled_in(sentence, seen), filled_in(assumed, seen)


def rent_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _("We pay $%(price)s per GPU hour; %(name)s offers the %(gpu)s as %(kind)s for $%(offer_price)s.")
    assumed = {
        OfferKind.SPOT: _("It may be taken away at any time; every rule that leads to it goes on elsewhere then."),
        OfferKind.COMMITTED_1Y: _("It is paid for a year whether used or not; in these days it ran without a break."),
        OfferKind.COMMITTED_3Y: _("It is paid for three years whether used or not; in these days it never stood."),
    }.get(OfferKind(seen["offer_kind"]), _("The machine is as fast, and moving it costs nothing but the work."))
    return filled_in(sentence, with_offer(seen)), assumed


def with_offer(seen: Evidence) -> Evidence:
    return {
        **seen,
        "name": provider_name(seen["offer_provider"]),
        "kind": kind_name(seen["offer_kind"]),
        "price": f"{Decimal(seen['price']):.3f}",
        "offer_price": f"{Decimal(seen['offer_price']):.3f}",
    }


WORDS: dict[FindingKind, Callable[[Finding, Evidence], tuple[str, str]]] = {
    FindingKind.CACHE: cache_words,
    FindingKind.UNREAD: unread_words,
    FindingKind.BATCH: batch_words,
    FindingKind.SMALLER: smaller_words,
    FindingKind.OUTPUT: output_words,
    FindingKind.IDLE: idle_words,
    FindingKind.RENT: rent_words,
    FindingKind.OFFER: rent_words,
}
SHARES = frozenset({"share", "hit", "factor", "acceptable", "acceptable_now", "price_share", "over", "worse"})


def filled_in(words: str, seen: Evidence) -> str:
    """The sentence with its figures filled in: shares in per cent, counts with thousands separators."""
    return words % {name: figure(name, value) for name, value in seen.items()}


def figure(name: str, value: Any) -> str:
    if name in SHARES:
        return f"{float(value) * 100:.0f} %"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
