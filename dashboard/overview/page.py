"""What the Overview shows: all data is read once, then the four answers and charts are made without queries.

Each of the four answers is a class with `headline()`, its part of the page's heading, and `answer()`, the sentences in
its row: `Money` in `money.py`, `Serving` in `up.py`, `Worth` in `worth.py`, `SelfHosting` in `selfhost.py`. The smaller
sentence below them is `phase_sentence()`, `outages_sentence()`, `comparison()` and `goal()`, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.plan import budgets_page
from costs.plan.page import pace
from dashboard.overview.closed_month import closed_month
from dashboard.overview.money import Money, money
from dashboard.overview.reads import ALERTS, Facts, read
from dashboard.overview.selfhost import SelfHosting, selfhosting
from dashboard.overview.speed import speeds
from dashboard.overview.up import Serving, serving
from dashboard.overview.worth import Worth, worth
from lib.formats import ago
from providers.models import Feed


def context(now: datetime) -> dict[str, Any]:
    """The template's context as of `now`."""
    facts = read(now)
    month, up, answers = money(facts), serving(facts), worth(facts)
    own = selfhosting(facts, answers)
    return {
        "facts": facts,
        "headline": headline(facts, month, up, answers, own),
        "next_polls": next_polls(facts.polls, now),
        "alerts_headline": alerts_headline(len(facts.alerts)),
        "alerts_shown": facts.alerts[:ALERTS],
        "closed": closed_month(facts),
        "money": month,
        "budgets": budgets_page.rows(facts.budgets),
        "pace": without_words(pace(month.month, month.status, now)),
        "up": up,
        "worth": answers,
        "own": own,
        "speeds": speeds(facts),
    }


def headline(facts: Facts, month: Money, up: Serving, answers: Worth, own: SelfHosting) -> str:
    """The four verdicts as one sentence; what to do first if there is no data yet."""
    if facts.empty:
        return _("No data yet. These steps lead to the first figures.")
    return format_html("{}, {}, {}, {}.", month.headline(), up.headline(), answers.headline(), own.headline())


def alerts_headline(number: int) -> str:
    """How many open alerts have no person yet, of any severity."""
    if not number:
        return _("No unassigned alerts")
    return ngettext("1 unassigned alert", "%(n)s unassigned alerts", number) % {"n": number}


def next_polls(feeds: Sequence[Feed], now: datetime) -> SafeString:
    """Which vendor's bills and prices are read next, and when: what is overdue is next, at once."""
    rows = ((feed.account.name, feed.kind, ago(max(feed.due_at, now))) for feed in feeds)
    return format_html_join(", ", "{} {} {}", rows)


def without_words(chart: dict[str, Any]) -> dict[str, Any]:
    """The Plan page's chart without the labels at its end, because the heading on this page has them."""
    return chart | {"marks": [mark for mark in chart["marks"] if mark["kind"] != "name"]}
