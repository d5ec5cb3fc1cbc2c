"""The command palette: pages, names, months, a request by its id and actions that match the words of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.help import documents
from dashboard.menu import queries
from dashboard.menu.page import Link, LinkGroup, Reader
from dashboard.menu.saved import visible_views
from dashboard.menu.tree import PLACE_OF, SECTIONS, Page, Section
from lib.formats import month as month_words

LONGEST = 100  # characters of a question
MOST_WORDS = 6

# What is done, the permission for it, and where.
ACTIONS: tuple[tuple[Promise, str, str], ...] = (
    (gettext_lazy("Silence alerts"), "alerts.add_silence", "alerts:silences"),
    (gettext_lazy("Rate answers"), "traffic.add_rating", "traffic:rate"),
    (gettext_lazy("Enter a cost"), "costs.add_charge", "costs:charge-add"),
    (gettext_lazy("Add a budget"), "costs.change_phase", "costs:add-budget"),
    (gettext_lazy("Close a month"), "costs.add_charge", "costs:reconciliation-close"),
    (gettext_lazy("Add a vendor account"), "providers.add_account", "providers:account-add"),
    (gettext_lazy("Add a deployment"), "providers.add_deployment", "providers:deployment-add"),
    (gettext_lazy("Add a model price"), "providers.add_tokenprice", "traffic:price-add"),
    (gettext_lazy("Add a route"), "traffic.add_route", "traffic:route-add"),
    (gettext_lazy("Add an alert rule"), "alerts.add_rule", "alerts:rule-new"),
    (gettext_lazy("Create a key"), "traffic.add_key", "traffic:key-add"),
    (gettext_lazy("Add a person"), "auth.add_user", "person-add"),
)


def groups(request: HttpRequest, text: str, visited: list[str]) -> list[LinkGroup]:
    """What matches the text, by kind; without a text the pages visited last (URL names) and all pages."""
    reader = Reader(request)
    question = " ".join(text[:LONGEST].split())
    if not question:
        return _named(_("Visited last"), _visited(reader, visited)) + all_pages(reader)
    words = question.casefold().split()[:MOST_WORDS]
    may = request.user.has_perm
    hits: list[tuple[str, Iterable[Link]]] = [(_("Request"), _request(request, question))]
    hits += [
        (_("Pages"), _matching(_pages(reader), words)),
        (
            _("Actions"),
            _silence(request, words) + [link for link in _actions(reader) if words[0] in str(link.label).casefold()],
        ),
        (
            _("Saved views"),
            _matching([(it.name, Link(it.name, it.path)) for it in visible_views(reader)], words),
        ),
        (_("Months"), _months(words) if may("costs.view_charge") else []),
        (_("Applications"), _applications(request, words)),
    ]
    kinds: tuple[tuple[str, str, Callable[[list[str]], list[dict[str, str]]], str], ...] = (
        (_("Deployments"), "providers.view_deployment", queries.deployments, "providers:deployment"),
        (_("Vendor accounts"), "providers.view_account", queries.accounts, "providers:account"),
        (_("Alert rules"), "alerts.view_alert", queries.rules, "alerts:rule"),
    )
    hits += [
        (label, [Link(row["name"], reverse(name, args=[row["slug"]])) for row in read(words)])
        for label, permission, read, name in kinds
        if may(permission)
    ]
    hits.append((_("Help"), [Link(page.title, page.url) for page in documents.find(question) if page.is_about(words)]))
    if may("providers.view_tokenprice"):
        prices = reverse("traffic:prices")
        rows = queries.models(words)
        hits.append((_("Models"), [Link(row["model"], f"{prices}?{urlencode({'q': row['model']})}") for row in rows]))
    return [group for label, links in hits for group in _named(label, links)]


def _named(label: str, links: Iterable[Link]) -> list[LinkGroup]:
    shown = list(links)[: queries.MOST]
    return [LinkGroup(label, shown)] if shown else []


def all_pages(reader: Reader) -> list[LinkGroup]:
    """Every page that a person may open, by section; a tab is named after its page."""
    return [
        LinkGroup(section.label, [_link(reader, entry, tab) for _group, entry, tabs in rows for tab in tabs])
        for section in SECTIONS
        if (rows := reader.entries(section))
    ]


def _link(reader: Reader, entry: Page, tab: Page) -> Link:
    return reader.link(tab, entry.label if tab.label == entry.label else f"{entry.label}: {tab.label}")


def _in_section(section: Section, link: Link) -> Link:
    """The link with its section's name before its own, as "Summary" alone says too little."""
    return link if link.label == section.label else replace(link, label=f"{section.label}: {link.label}")


def _pages(reader: Reader) -> list[tuple[str, Link]]:
    """Each page with the words by which it is found."""
    return [
        (
            f"{section.label} {entry.label} {tab.label} {tab.about} {tab.words} {entry.words}",
            _in_section(section, _link(reader, entry, tab)),
        )
        for section in SECTIONS
        for _group, entry, tabs in reader.entries(section)
        for tab in tabs
    ]


def _matching(rows: Iterable[tuple[str, Link]], words: list[str]) -> list[Link]:
    """Rows that have every word; those that have one in the link's own label come first."""
    matches = [link for text, link in rows if all(word in text.casefold() for word in words)]
    return sorted(matches, key=lambda link: not any(word in str(link.label).casefold() for word in words))


def _actions(reader: Reader) -> list[Link]:
    may = reader.request.user.has_perm
    return [Link(str(label), reverse(name)) for label, permission, name in ACTIONS if may(permission)]


def _silence(request: HttpRequest, words: list[str]) -> list[Link]:
    """For `silence` (or its beginning) and the name of a deployment: the form with that deployment in it."""
    may = request.user.has_perm
    if not _("silence").startswith(words[0]) or not words[1:]:
        return []
    if not (may("alerts.add_silence") and may("providers.view_deployment")):
        return []
    form = reverse("alerts:silences")
    return [
        Link(
            _("Silence %(name)s") % {"name": row["name"]},
            f"{form}?{urlencode({'labels': 'deployment:' + row['slug']})}#add",
        )
        for row in queries.deployments(words[1:])
    ]


def _months(words: list[str]) -> list[Link]:
    kinds = ((_("statement"), "costs:statements"), (_("spend"), "costs:spend"), (_("bills"), "costs:reconciliation"))
    rows = [
        (f"{label} {month}", Link(label, f"{reverse(name)}?month={month}"))
        for month in queries.months()
        for kind, name in kinds
        if (label := f"{month_words(date.fromisoformat(f'{month}-01'))} {month[:4]}: {kind}")
    ]
    return _matching(rows, words)


def _applications(request: HttpRequest, words: list[str]) -> list[Link]:
    """To the page of each where a person may open it, else to its requests."""
    rows: Any = queries.applications(request.user, words)
    if request.user.has_perm("traffic.view_application"):
        return [Link(row["name"], reverse("traffic:application", args=[row["slug"]])) for row in rows]
    requests = reverse("traffic:requests")
    return [Link(row["name"], f"{requests}?{urlencode({'application': row['slug']})}") for row in rows]


def _request(request: HttpRequest, text: str) -> list[Link]:
    identifier = queries.request_of(request.user, text)
    return [Link(str(identifier), reverse("traffic:request", args=[identifier]))] if identifier else []


def _visited(reader: Reader, names: list[str]) -> list[Link]:
    """The pages visited last that the person still may open."""
    places = [PLACE_OF[name] for name in names if name in PLACE_OF]
    return [_in_section(part, _link(reader, entry, page)) for part, entry, page in places if reader.may_open(page)]
