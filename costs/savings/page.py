"""The savings page: each finding as a sentence with its figures and a link to its requests or machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs import savings
from costs.models import Finding, FindingKind, Search
from lib.dates import DAY
from lib.formats import THIN, day_text, dollars, percent, person, sentences, usd, usd4, when
from lib.formats import figure as marked
from lib.money import ZERO
from lib.paging import Sorts, in_order
from providers.leases.queries import hourly_price
from providers.models import OfferKind, provider_name
from traffic.answer_cache.page import unpriced_words
from traffic.answer_cache.queries import Saved, saved_by_application
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
        return person(self.finding.decided_by)

    def monthly(self) -> str:
        """The saving; of a machine that can end, it is what the machine's page says that it costs a month."""
        finding, text = self.finding, usd(self.finding.monthly)
        if finding.evidence.get("way") not in ("stopped", "no_requests"):
            return text
        price = hourly_price(Decimal(finding.evidence["price"]))
        return marked(text, "lease-month", finding.monthly, price, finding.lease_id)

    def link_words(self) -> str:
        return _("GPU details") if self.finding.lease_id else _("Requests")

    def grown_note(self) -> str:
        """Why it is shown again after a dismissal; empty if it was never dismissed."""
        if not self.grown:
            return ""
        words = {"sum": dollars(self.finding.decided_monthly), "reason": self.finding.reason}
        return _("Dismissed at %(sum)s (“%(reason)s”). The saving has grown since.") % words

    def behind_note(self) -> str:
        text = _("Overlaps with “%(other)s”, which is counted instead.")
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
            "arrived": _("achieved"), "partly": _("partly achieved"), "failed": _("not achieved"),
            "waiting": _("not enough days yet"),
        }.get(self.outcome.state if self.outcome else "", _("not measurable"))  # fmt: skip

    def verdict_note(self) -> str:
        """How much of the saving was measured, or why that is unknown; empty if it failed."""
        if self.outcome is None or self.outcome.state == "failed":
            return ""
        if self.outcome.state == "noise":
            return _("The change is within normal daily variation.")
        if self.outcome.state == "moved":
            return _("Work moved to or from self-hosted models.")
        if self.outcome.state == "waiting":
            left = max(savings.NEEDED_DAYS - self.outcome.days, 0)
            return ngettext("1 full day to go", "%(n)s full days to go", left) % {"n": left}
        return _("%(share)s of the expected saving") % {"share": percent(self.outcome.share)}


MARKS = {"arrived": "ok", "partly": "warn", "failed": "bad", "waiting": "info"}


def measured_span(measured: dict[str, Any] | None) -> str:
    """The unit and the days of a measurement: `USD a request, 14 days from 3 June`."""
    if not measured or not measured["days"]:
        return _("no full day yet")
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
    cached: list[Saved] = field(default_factory=list)  # by the gateway's answer cache, of the last 30 days

    @property
    def cached_total(self) -> Decimal:
        return sum((saved.cost for saved in self.cached), ZERO)

    def cached_note(self) -> str:
        """What the totals of the answer cache leave out; empty where they leave nothing out."""
        return unpriced_words(Saved(unpriced=sum(saved.unpriced for saved in self.cached)))

    @property
    def unjudged_prompts(self) -> Decimal:
        return Decimal((self.search.unjudged if self.search else {}).get("prompts", 0))

    def answer(self) -> SafeString:
        return sentences(self._open(), self._arrived())

    def _open(self) -> str:
        if self.search is None:
            return _("No search has run yet. The first runs within 10 minutes of the first requests.")
        if not self.open:
            return _("No savings found in the last two weeks of requests.")
        counted = sum(row.finding.counts for row in self.open)
        over = len(self.open) - counted  # they would save the same money again
        if not counted:
            return _("Every suggestion overlaps with an accepted one.")
        text = ngettext(
            "<b>1 suggestion</b> could save <b>{sum} a month</b>.",
            "<b>{n} suggestions</b> could save <b>{sum} a month</b>.",
            counted,
        )
        more = ngettext("%(n)s more overlaps with these.", "%(n)s more overlap with these.", over)
        return sentences(format_html(text, n=counted, sum=dollars(self.total)), more % {"n": over} if over else "")

    def _arrived(self) -> str:
        if not self.arrived_rows:
            return ""
        text = ngettext(
            "Accepted suggestions saved <b>{sum} a month</b>.",
            "Accepted suggestions saved <b>{sum} a month</b>.",
            self.arrived_rows,
        )
        return format_html(text, n=self.arrived_rows, sum=dollars(self.arrived))


# What the lists can be sorted by; one that lacks a value stays as it is.
SORTS: Sorts = {
    "title": lambda row: row.title,
    "monthly": lambda row: row.finding.monthly,
    "decided": lambda row: row.finding.decided_at,
    "decided_monthly": lambda row: row.finding.decided_monthly,
    "before": lambda row: row.outcome and row.outcome.before,
    "since": lambda row: row.outcome and row.outcome.after,
    "arrived": lambda row: row.outcome and row.outcome.monthly,
    "verdict": lambda row: row.outcome and row.verdict(),
    "reason": lambda row: row.finding.reason,
}


def page(sort: str = "") -> Savings:
    """Read the page in four statements, independent of the traffic."""
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
        accepted=in_order(sorted(accepted, key=decided, reverse=True), SORTS, sort),
        dismissed=in_order(sorted(dismissed, key=decided, reverse=True), SORTS, sort),
        total=sum((finding.monthly for finding in findings if finding.counts), ZERO),
        arrived=sum(arrived, ZERO),
        arrived_rows=len(arrived),
        search=Search.objects.first(),
        cached=saved_by_application(timezone.now().date()),
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
        FindingKind.CACHE: _("cache repeated prompts"),
        FindingKind.UNREAD: _("stop caching prompts that are never reused"),
        FindingKind.BATCH: _("send requests as a batch"),
        FindingKind.SMALLER: _("move to %(model)s") % {"model": to.get("to_model", "")},
        FindingKind.OUTPUT: _("ask for shorter answers"),
        FindingKind.IDLE: {
            "stopped": _("delete it (stopped but still billed)"),
            "no_requests": _("stop it (no requests)"),
        }.get(to.get("way", ""), _("stop it in hours without requests")),
        FindingKind.RENT: _("change the contract to %(kind)s") % {"kind": kind_name(to.get("offer_kind", ""))},
        FindingKind.OFFER: _("rent the same GPU at %(name)s") % {"name": provider_name(to.get("offer_provider", ""))},
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
        "%(repeating)s of %(texts)s sampled prompts share a beginning but are paid in full. They are "
        "%(share)s of the uncached input."
    )
    assumed = _(
        "At the current rate %(hit)s of these prompts repeat within %(minutes)s minutes. The others "
        "write the cache. Tokens are assumed proportional to text length."
    )
    return filled_in(sentence, seen), filled_in(assumed, seen)


def unread_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _("At least %(unread)s of %(written)s tokens written to the cache were never read within their hour.")
    assumed = _("Unread tokens are sent as plain input. Further savings from a better cache are not counted.")
    return filled_in(sentence, seen), assumed


def batch_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    if seen.get("declared"):
        sentence = _("%(live)s requests are labelled as batch work but were sent live.")
    else:
        sentence = _(
            "%(live)s requests were sent live. None of %(sample)s sampled requests was streamed or names an end user."
        )
    assumed = _("These answers can wait up to a day. A batch costs %(factor)s of every rate.")
    return filled_in(sentence, seen), filled_in(assumed, seen)


def smaller_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _(
        "%(requests)s requests went to %(model)s. Acceptable answers to this task, rated in the %(days)s days to"
        " %(day)s: %(acceptable)s of %(to_model)s (%(ratings)s ratings) against %(acceptable_now)s (%(ratings_now)s)."
    )
    assumed = _(
        "Same tokens on both models, at %(price_share)s of the price. The share of acceptable "
        "answers is at most %(worse)s lower (95 %% confidence)."
    )
    worse = max(-seen.get("gap", [0, 0, 0])[1], 0)
    seen = {**seen, "model": finding.model, "days": COMPARED_DAYS, "day": day_text(finding.until)}
    return filled_in(sentence, seen), filled_in(assumed, {**seen, "worse": worse})


def output_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _(
        "95 %% of %(accepted)s acceptable answers have at most %(limit)s tokens. %(over)s of all "
        "output exceeds that (mean %(mean)s)."
    )
    return filled_in(sentence, seen), filled_in(
        _("Answers stay below %(limit)s tokens and are not requested again."), seen
    )


def idle_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    if seen.get("way") in ("stopped", "no_requests"):
        sentence = {
            "stopped": _("On %(seen)s UTC it had been stopped for %(stoppable)s hours. It costs $%(price)s an hour."),
            "no_requests": _(
                "In the days %(since)s to %(last)s it ran for %(running)s whole hours without a request. It costs"
                " $%(price)s an hour."
            ),
        }[seen["way"]]
        seen, at = dict(seen), finding.seen_at.astimezone(UTC)
        seen |= {"since": day_text(finding.since), "last": day_text(finding.until - DAY)}
        seen |= {"price": usd4(Decimal(seen["price"])), "seen": f"{day_text(at)}, {at:%H:%M}"}
        return filled_in(sentence, seen), _("A month has 730 hours. The data on its disk is not needed.")
    sentence = _("%(idle)s of %(running)s running hours had no request.")
    assumed = _("It can be stopped in %(stoppable)s of them: pauses of at least 3 hours, minus 1 hour for the restart.")
    if not seen.get("disk_known"):
        assumed += " " + _("The cost of its disk is unknown and not deducted.")
    return filled_in(sentence, seen), filled_in(assumed, seen)


def rent_words(finding: Finding, seen: Evidence) -> tuple[str, str]:
    sentence = _("We pay $%(price)s per GPU hour. %(name)s offers the %(gpu)s as %(kind)s for $%(offer_price)s.")
    assumed = {
        OfferKind.SPOT: _("The vendor may end it at any time. Its routes then need another target."),
        OfferKind.COMMITTED_1Y: _("You pay for one year, used or not. It ran without a break in this period."),
        OfferKind.COMMITTED_3Y: _("You pay for three years, used or not. It ran without a break in this period."),
    }.get(OfferKind(seen["offer_kind"]), _("The GPU is as fast. Moving costs only working time."))
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
        return f"{float(value) * 100:.0f}{THIN}%"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
