"""Every section and page of the product, declared once.

The bar on top, the bar of a section, the menu of Set up, the tabs of a page, the breadcrumbs, the keys after `g` and
the list of all pages are made from this tree. Who may see a page is read from its view
(`dashboard.menu.page.Reader.may_open`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from traffic.requests.params import NAMES

# Parameters that two pages of a section understand alike, so that a link between them keeps them.
MONTH = ("month",)
FILTERS = (*NAMES, "from", "to")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the menu.

    `name` is its URL name. `tabs` are pages under the same name, the page itself first. `below` are the URL names of
    the pages that are reached from it, with forms and details. `keeps` are the query parameters that a link to it
    keeps. `needs` is a permission beside the one of its view. `owners`: whoever owns an application may open it
    without. `demo`: it exists in the demo alone. `reference`: it is in the
    menu of whoever shows the reference case. `key` is the stroke after `g`. `words` are further names by
    which the palette finds it. `table`: what it shows can be downloaded as CSV.
    """

    name: str
    label: Promise
    about: Promise | str = ""
    below: tuple[str, ...] = ()
    tabs: tuple[Page, ...] = ()
    keeps: tuple[str, ...] = ()
    needs: str = ""
    owners: bool = False
    demo: bool = False
    reference: bool = False
    key: str = ""
    words: Promise | str = ""
    table: bool = False

    @property
    def all_pages(self) -> tuple[Page, ...]:
        """The page, or its tabs where it has any."""
        return self.tabs or (self,)

    @property
    def names(self) -> Iterator[str]:
        """URL names of the page, its tabs and what is below each."""
        for page in self.all_pages:
            yield page.name
            yield from page.below


@dataclass(frozen=True, slots=True)
class Group:
    """Pages under one heading; a section with several groups has a menu at its left."""

    label: Promise | str
    pages: tuple[Page, ...]
    about: Promise | str = ""


@dataclass(frozen=True, slots=True, eq=False)  # one of its kind: by identity it is a cheap key of a cache
class Section:
    """A part of the bar on top; it leads to the first of its pages that a person may open."""

    label: Promise
    groups: tuple[Group, ...] = field(default=())

    @property
    def pages(self) -> Iterator[Page]:
        for group in self.groups:
            yield from group.pages


def section(label: Promise, *pages: Page) -> Section:
    """A section with a bar of pages."""
    return Section(label, (Group("", pages),))


OVERVIEW = section(_("Overview"), Page("overview", _("Overview"), needs="costs.view_charge", key="o"))

CHANGED = (
    Page("costs:changes", _("Against last month or plan"), keeps=MONTH),
    Page("costs:anomalies", _("Anomalies"), words=_("anomaly unusual spike")),
)
STATEMENTS = (
    Page("costs:statements", _("Statements"), below=("costs:statement",), keeps=MONTH, owners=True, table=True),
    Page("costs:sharing", _("GPU cost allocation"), keeps=MONTH),
)
LEDGER = (
    Page("costs:ledger", _("Entries"), keeps=MONTH, table=True),
    Page(
        "costs:charges",
        _("One-off costs"),
        words=_("manual charges"),
        below=("costs:charge-add", "costs:charge", "costs:charge-correct"),
        keeps=MONTH,
        table=True,
    ),
    Page("costs:recurrences", _("Repeating costs"), below=("costs:recurrence",)),
    Page("costs:bills", _("Bill files"), below=("costs:bill",)),
    Page("costs:rates", _("Exchange rates")),
)
SPEND = section(
    _("Spend"),
    Page("costs:spend", _("Summary"), keeps=MONTH, key="s", table=True),
    Page("costs:changes", _("What changed"), tabs=CHANGED),
    Page(
        "costs:plan",
        _("Budgets & plan"),
        words=_("forecast phase stage limit"),
        below=(
            "costs:add-phase", "costs:phase", "costs:add-stage", "costs:stage", "costs:add-budget", "costs:budget",
            "costs:application-budgets", "costs:copy-plan", "costs:research-plan",
        ),
        key="p",
    ),
    Page(
        "costs:reconciliation",
        _("Bills"),
        below=("costs:reconciliation-close", "costs:reconciliation-correct", "costs:reconciliation-tolerance"),
        keeps=MONTH,
        words=_("reconciliation reconcile invoices close a month"), table=True),
    Page("costs:statements", _("Statements"), words=_("chargeback PDF"), tabs=STATEMENTS),
    Page("costs:savings", _("Savings"), below=("costs:saving-dismiss",), table=True),
    Page("costs:ledger", _("Ledger"), tabs=LEDGER),
    Page("costs:units", _("Unit costs"), below=("costs:unit-users",), keeps=MONTH, table=True),
    Page("costs:exports", _("Export"), below=("costs:export-add", "costs:export"), words=_("exports FOCUS CSV")),
)  # fmt: skip

SCENARIOS = (
    Page("costs:kept", _("Saved scenarios")),
    Page("costs:scenarios", _("Reference scenarios"), reference=True),
    Page("costs:research", _("Price tables"), reference=True),
)
RENTED = (
    Page("providers:providers", _("By provider"), key="v"),
    Page("providers:leases", _("Leases"), below=("costs:lease", "providers:lease-stop"), table=True),
)
MARKET = (
    Page("providers:offers", _("Offers"), words=_("spot price on demand"), table=True),
    Page("providers:offer-watches", _("Watches"), below=("providers:offer-watch", "providers:offer-watch-add")),
)
SELF_HOSTING = section(
    _("Self-hosting"),
    Page("costs:decide", _("Decision"), below=("costs:decision",), key="d", words=_("decide go no-go record")),
    Page("costs:break-even", _("Break-even"), below=("costs:task-model",), key="b"),
    Page("costs:kept", _("Scenarios"), tabs=SCENARIOS),
    Page("providers:providers", _("GPUs we rent"), words=_("providers machines"), tabs=RENTED),
    Page("providers:offers", _("Market"), tabs=MARKET),
    Page("costs:sizing", _("Sizing")),
)

MONITORING = section(
    _("Monitoring"),
    Page(
        "providers:uptime", _("Uptime"), words=_("outage incident downtime health check"),
        below=("providers:outage",), key="u", table=True,
    ),
    Page("traffic:requests", _("Requests"), below=("traffic:request",), keeps=FILTERS, key="r", table=True),
    Page("traffic:latency", _("Latency"), keeps=FILTERS),
    Page(
        "providers:heartbeats", _("Batch jobs"), below=("providers:heartbeat-add", "providers:heartbeat"),
        words=_("heartbeat cron"),
    ),
    Page(
        "providers:status-pages",
        _("Status pages"),
        below=("providers:status-page-add", "providers:status-page", "providers:status-preview"),
    ),
)  # fmt: skip

QUALITY = section(
    _("Quality"),
    Page("traffic:quality", _("Scoreboard"), key="q", table=True),
    Page("costs:scoreboard", _("Quality and cost"), words=_("pareto trend accepted answer"), table=True),
    Page("traffic:rate", _("Rate")),
    Page(
        "traffic:queues", _("Queues"), below=("traffic:queue-add", "traffic:queue"), words=_("sample overlap progress")
    ),
    Page(
        "traffic:rubrics", _("Rubrics"), below=("traffic:rubric-add", "traffic:rubric"), words=_("criteria scale tags")
    ),
    Page("traffic:compare", _("Compare"), words=_("blind side by side pair")),
    Page("traffic:comparisons", _("Comparisons"), below=("traffic:pair",), words=_("preference win rate agreement")),
    Page("traffic:my-ratings", _("My ratings")),
    Page(
        "traffic:trials",
        _("Trials"),
        below=("traffic:trial-add", "costs:trial"),
        words=_("proof of concept load test benchmark throughput capacity replay"),
    ),
    Page("traffic:judges", _("Judges"), words=_("LLM as a judge automatic rating")),
    Page("traffic:sets", _("Sets"), below=("traffic:set",), words=_("regression test JSONL version")),
    Page("traffic:playground", _("Playground"), words=_("try a prompt chat side by side stream")),
)

ALERTS = section(
    _("Alerts"),
    Page(
        "alerts:list",
        _("Open"),
        below=(
            "alerts:detail",
            "alerts:acknowledge",
            "alerts:silence",
            "alerts:snooze",
            "alerts:assign",
            "alerts:note",
            "alerts:resolve",
        ),
        key="a",
        table=True,
    ),
    Page("alerts:history", _("History"), table=True),
    Page("alerts:rules", _("Rules"), words=_("threshold limit condition"), below=("alerts:rule", "alerts:rule-new")),
    Page("alerts:silences", _("Silences & maintenance")),
    Page(
        "alerts:channels",
        _("Channels"),
        words=_("slack teams webhook pagerduty monitor"),
        below=("alerts:channel", "alerts:channel-add"),
    ),
    Page("alerts:deliveries", _("Notification log"), words=_("deliveries e-mail")),
    Page("alerts:mailbox", _("Demo mailbox"), below=("alerts:mail",), demo=True),
)

PRICES = (
    Page(
        "traffic:prices",
        _("Models"),
        _("what tokens, GPUs and disks cost, and discounts"),
        below=("traffic:price-add",),
    ),
    Page("traffic:unit-prices", _("Other prices"), words=_("GPU hour disk egress traffic")),
    Page("traffic:discounts", _("Discounts"), words=_("contract committed use")),
    Page(
        "traffic:repricings",
        _("Re-price"),
        words=_("re-pricing reprice apply new prices"),
        below=("traffic:repricing",),
    ),
)
CONNECT = Group(
    _("Connect"),
    (
        Page(
            "providers:accounts",
            _("Vendor accounts"),
            _("vendors that are read, with our keys"),
            below=("providers:account-add", "providers:account-add-kind", "providers:account", "costs:account-remove"),
        ),
        Page(
            "providers:deployments",
            _("Deployments"),
            _("models that can receive requests"),
            below=("providers:deployment-add", "providers:deployment"),
        ),
        Page(
            "traffic:applications",
            _("Applications"),
            _("programs that send requests"),
            below=(
                "traffic:application-add",
                "traffic:application",
                "traffic:application-erase",
                "traffic:application-cap-add",
            ),
        ),
        Page(
            "traffic:keys",
            _("Keys"),
            _("access for programs"),
            words=_("API key secret throttle rate limit quota"),
            below=(
                "traffic:key-add",
                "traffic:key",
                "traffic:key-rotate",
                "traffic:key-first",
                "traffic:key-cap-add",
            ),
        ),
        Page(
            "traffic:caps",
            _("Caps"),
            _("hard limits of keys and applications"),
            words=_("hard limit budget wall 429 maximum"),
        ),
        Page(
            "traffic:send-requests",
            _("Send requests"),
            _("lines to copy, with the addresses of this installation"),
            words=_("gateway OpenTelemetry OTLP LiteLLM Langfuse OpenRouter SDK ingest"),
        ),
        Page(
            "traffic:routes",
            _("Routes"),
            _("which request goes to which deployment"),
            words=_("routing fallback"),
            below=("traffic:route", "traffic:route-add", "traffic:route-try"),
        ),
        Page("traffic:imports", _("Imports"), _("history from files of other tools"), below=("traffic:import",)),
        Page("traffic:prices", _("Prices"), words=_("list price token price"), tabs=PRICES),
    ),
    _("Vendors, models, programs and prices"),
)  # fmt: skip
PEOPLE = Group(
    _("People"),
    (
        Page(
            "people",
            _("Users and roles"),
            _("who may do what"),
            words=_("people person team"),
            below=("person", "person-add", "role"),
        ),
        Page("audit", _("Audit log"), _("who did what, when and from where")),
        Page("traffic:erasures", _("Data deletion"), _("what was deleted, and when"), below=("traffic:erasure",)),
    ),
    _("Users, roles and what they did"),
)
NOTIFICATIONS = Group(
    _("Notifications"),
    (
        Page(
            "alerts:preferences", _("My notifications"), _("quiet hours, digest, time zone"), below=("alerts:digest",)
        ),
        Page("saved-views", _("Saved views"), _("lists with their filters, by name"), below=("saved-view",)),
        Page("account", _("My account"), _("where you are signed in, password"), below=("password_change", "confirm")),
    ),
    _("What you receive, and your account"),
)
SYSTEM = Group(
    _("System"),
    (
        Page(
            "storage",
            _("Storage"),
            _("how much is stored, and for how long"),
            words=_("retention disk"),
            below=("storage-unstored",),
        ),
        Page(
            "health",
            _("Health"),
            _("processes, queue, disk and vendor feeds"),
            words=_("doctor readyz poll late feed worker"),
        ),
        Page("help", _("Help"), _("how to do things"), below=("help-page",)),
        Page("help-api", _("API docs"), _("every address of the JSON API"), words=_("OpenAPI schema REST")),
        Page("legend", _("Legend"), _("what each mark and colour means")),
    ),
    _("The installation itself"),
)
SET_UP = Section(
    _("Set up"),
    (Group("", (Page("settings", _("Set up"), key="e"),)), CONNECT, PEOPLE, NOTIFICATIONS, SYSTEM),
)

SECTIONS = (OVERVIEW, SPEND, SELF_HOSTING, MONITORING, QUALITY, ALERTS, SET_UP)


def pages() -> Iterator[tuple[Section, Page, Page]]:
    """Every page with an address of its own: its section, its entry in the bar, and the page (a tab, or the entry)."""
    for part in SECTIONS:
        for entry in part.pages:
            for page in entry.all_pages:
                yield part, entry, page


PLACE_OF = {name: place for place in pages() for name in (place[2].name, *place[2].below)}
