"""What the templates of the menu get: the tree of `dashboard.menu.tree` as one person may see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import resolve, reverse
from django.utils import timezone
from django.utils.functional import Promise

from alerts.inbox.queries import count_waiting
from costs.research.switch import shows_reference
from dashboard.menu.tree import ALERTS, PLACE_OF, SECTIONS, SET_UP, Group, Page, Section
from traffic.models import Application


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the menu. `count` is the number beside it, `key` the stroke after `g`."""

    label: Promise | str
    url: str
    current: bool = False
    count: int = 0
    key: str = ""
    about: Promise | str = ""


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """Links under a heading, which is empty in a section with a bar."""

    label: Promise | str
    links: list[Link]
    about: Promise | str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """The menu on one page: the sections, the pages of the section, the tabs of the page, the way back and the keys.

    `copies`: the page has a period or filters, so its address is worth a copy. `table`: its tables can be downloaded.
    """

    sections: list[Link] = field(default_factory=list)
    groups: list[LinkGroup] = field(default_factory=list)
    tabs: list[Link] = field(default_factory=list)
    crumbs: list[Link] = field(default_factory=list)
    keys: list[Link] = field(default_factory=list)
    section: Promise | str = ""
    page: Promise | str = ""
    at_left: bool = False
    table: bool = False
    copies: bool = False

    @property
    def here(self) -> str:
        """Section and page, as the button of a phone names them."""
        return str(self.section) if self.section == self.page else f"{self.section}: {self.page}"

    @property
    def waiting(self) -> Link | None:
        """The section with alerts that need a person."""
        return next((link for link in self.sections if link.count), None)


Entry = tuple[Group, Page, tuple[Page, ...]]  # a heading, an entry under it, the tabs of that one


@cache
def address_of(name: str) -> str:
    """The path of a page of the tree, none of which has arguments."""
    return reverse(name)


@cache
def permission_of(name: str) -> str:
    """The permission that the view of this URL name asks for, which `lib.http` leaves at the view; empty for none."""
    return str(getattr(resolve(address_of(name)).func, "permission", ""))


def _holds(permissions: frozenset[str] | None, needed: str) -> bool:
    return permissions is None or needed in permissions


def _may_open(page: Page, permissions: frozenset[str] | None, owns: bool, demo: bool, reference: bool) -> bool:
    if (page.demo and not demo) or (page.reference and not reference):
        return False
    if page.owners:
        return owns or _holds(permissions, "costs.view_charge")
    return all(_holds(permissions, needed) for needed in (page.needs, permission_of(page.name)) if needed)


@lru_cache(maxsize=256)  # people with the same roles share one answer: eight sections for each set of permissions
def _entries(
    section: Section, permissions: frozenset[str] | None, owns: bool, demo: bool, reference: bool
) -> tuple[Entry, ...]:
    rows = (
        (group, entry, tuple(page for page in entry.all_pages if _may_open(page, permissions, owns, demo, reference)))
        for group in section.groups
        for entry in group.pages
    )
    return tuple(row for row in rows if row[2])


class Reader:
    """What one person may open, asked once for each page of the product."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def permissions(self) -> frozenset[str] | None:
        """The permissions of the person; None for a superuser, who has all of them without a query."""
        user = self.request.user
        return None if user.is_superuser else frozenset(user.get_all_permissions())

    @cached_property
    def owns(self) -> bool:
        """Whether the person owns an application; asked only of those who may not see all of them."""
        return (
            not _holds(self.permissions, "costs.view_charge")
            and Application.objects.filter(owner=self.request.user.pk).exists()
        )

    def may_open(self, page: Page) -> bool:
        """Whether the menu shows the page to this person."""
        return _may_open(page, self.permissions, self.owns, settings.DEMO, shows_reference(self.request))

    def entries(self, section: Section) -> tuple[Entry, ...]:
        """The entries of a section that this person may open, each with its tabs."""
        return _entries(section, self.permissions, self.owns, settings.DEMO, shows_reference(self.request))

    def link(self, page: Page, label: Promise | str = "", *, current: bool = False) -> Link:
        """A link to the page with the parameters of this page that it understands too."""
        here = self.request.GET
        shared = [(name, value) for name in page.keeps for value in here.getlist(name) if value]
        url = address_of(page.name) + (f"?{urlencode(shared)}" if shared else "")
        return Link(label or page.label, url, current, key=page.key, about=page.about)


def menu_of(request: HttpRequest) -> Menu:
    """The menu on the page of this request; empty for a stranger."""
    if not request.user.is_authenticated:
        return Menu()
    reader = Reader(request)
    name = request.resolver_match.view_name if request.resolver_match else ""
    section, entry, page = PLACE_OF.get(name, (None, None, None))
    opened = {part.label: reader.entries(part) for part in SECTIONS}
    sections = [
        Link(part.label, address_of(rows[0][2][0].name), part is section, count=_waiting() if part is ALERTS else 0)
        for part in SECTIONS
        if (rows := opened[part.label])
    ]
    keys = [
        reader.link(tab, entry.label if len(tabs) == 1 or tab.name == entry.name else "")
        for rows in opened.values()
        for _group, entry, tabs in rows
        for tab in tabs
        if tab.key
    ]
    if section is None or entry is None or page is None:
        return Menu(sections, keys=keys)
    rows = opened[section.label]
    exact = page.name == name
    tabs = next((tabs for _group, other, tabs in rows if other is entry), ())
    bar = len(rows) > 1
    return Menu(
        sections,
        groups_of(reader, rows, entry) if bar else [],
        [reader.link(tab, current=tab is page) for tab in tabs] if len(tabs) > 1 else [],
        [] if exact else _crumbs(reader, section, entry, page),
        keys,
        section.label,
        entry.label,
        at_left=bar and section is SET_UP,
        table=exact and page.table,
        copies=exact and (page.table or bool(page.keeps)),
    )


def _waiting() -> int:
    return count_waiting(timezone.now())


def groups_of(reader: Reader, rows: tuple[Entry, ...], here: Page | None) -> list[LinkGroup]:
    groups: dict[str, LinkGroup] = {}
    for group, entry, tabs in rows:
        links = groups.setdefault(str(group.label), LinkGroup(group.label, [], group.about)).links
        links.append(reader.link(tabs[0], entry.label, current=entry is here))
    return list(groups.values())


def _crumbs(reader: Reader, section: Section, entry: Page, page: Page) -> list[Link]:
    """The way back from a page that hangs below one of the menu."""
    first = reader.entries(section)
    crumbs = [Link(section.label, address_of(first[0][2][0].name))] if first else []
    steps = [entry, page] if page is not entry and page.name != entry.name else [entry]
    return [*crumbs, *(reader.link(step) for step in steps if reader.may_open(step))]


def cards(request: HttpRequest) -> list[LinkGroup]:
    """The cards of the page Set up: each group with its pages."""
    reader = Reader(request)
    return [group for group in groups_of(reader, reader.entries(SET_UP), None) if group.label]
