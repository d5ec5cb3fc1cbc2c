"""What the address of a list of requests asks for, what of it cannot be, and the fields of its filter form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.dates import day_of
from lib.paging import known_sort
from providers.models import Deployment, provider_name, provider_names
from traffic.authentication.access import FIGURES
from traffic.marks.rules import LABELS as MARK_LABELS
from traffic.marks.rules import SLUGS, bits_of
from traffic.models import Application, Outcome, Task
from traffic.request_ids import uuid_of
from traffic.requests import queries as requests
from traffic.requests.facets import FilterChoices
from traffic.requests.request_filter import Range, RequestFilter
from traffic.usage.filters import COLUMNS, Filters
from traffic.visibility import applications_of

NAMES = tuple(COLUMNS)


class Bounds(NamedTuple):
    """A range of the address: its parameter, the field of `RequestFilter`, what it is and in what unit."""

    name: str
    attribute: str
    what: Any
    unit: str
    figures: bool = False  # for those who see figures alone

    @property
    def label(self) -> str:
        return f"{self.what}, {self.unit}"


RANGES = (
    Bounds("cost", "cost", gettext_lazy("Cost"), "USD", figures=True),
    Bounds("latency", "latency_ms", gettext_lazy("Whole answer"), "ms"),
    Bounds("ttft", "ttft_ms", gettext_lazy("First token"), "ms"),
)
FLAGS = {
    "unpriced": gettext_lazy("no price"),
    "told_otherwise": gettext_lazy("cost differs from source"),
    "unknown_usage": gettext_lazy("no token counts"),
    "rated": gettext_lazy("rated"),
}
LABELS = {
    "provider": gettext_lazy("Provider"),
    "model": gettext_lazy("Model"),
    "deployment": gettext_lazy("Deployment"),
    "application": gettext_lazy("Application"),
    "task": gettext_lazy("Task"),
    "outcome": gettext_lazy("Outcome"),
    "mark": gettext_lazy("Mark"),
}
MARKS = [(slug, str(MARK_LABELS[mark])) for slug, mark in SLUGS.items()]
NO_FILTERS = {"cursor", "live", "kind", "sort", "as"}  # parameters that take nothing out
MONEY = {"unpriced", "told_otherwise", "cost_from", "cost_to"}  # filters for those who see figures alone
ENDS = {f"{bounds.name}_{end}" for bounds in RANGES for end in ("from", "to")}
FILTERS = {*NAMES, "outcome", "mark", *FLAGS, *ENDS, "from", "to", "words", "user"}
LONGEST = 200  # of the words looked for


class ApplicationChoice(NamedTuple):
    """An application, and whether it is the reader's own."""

    pk: int
    slug: str
    name: str
    mine: bool


@dataclass
class ParsedParams:
    """The filters, and sentences on what of them cannot be."""

    request_filter: RequestFilter
    filtered: bool
    refused: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)  # sentences on what takes nothing out
    may_read: bool = False  # texts of some application
    money: bool = False
    sort: str = ""  # empty for the newest first
    applications: list[ApplicationChoice] | None = None  # the applications, where they had to be read


def parsed_params(request: HttpRequest) -> ParsedParams:
    query, money = request.GET, request.user.has_perm(FIGURES)
    filters = FILTERS if money else FILTERS - MONEY
    applications = application_choices(request)
    readable = None if applications is None else [application.pk for application in applications if application.mine]
    params = ParsedParams(
        RequestFilter(
            filters=without_empty(query),
            outcomes=[value for value in query.getlist("outcome") if value in Outcome.values],
            marks=bits_of(query.getlist("mark")),
            unpriced="unpriced" in query and money,
            unknown_usage="unknown_usage" in query,
            told_otherwise="told_otherwise" in query and money,
            rated="rated" in query,
            user=uuid_of(query.get("user", "")),
            words=query.get("words", "").replace("\x00", "").strip()[:LONGEST],
            readable=readable,
            applications=applications_of(request.user),
        ),
        filtered=any(value for name, value in query.items() if name in filters),
        ignored=ignored_params(query, filters | NO_FILTERS),
        may_read=readable is None or bool(readable),
        money=money,
        applications=applications,
    )
    params.sort = sort_of(query.get("sort"), params)
    params.refused += unknown_values(query, params.request_filter)
    if query.get("user") and params.request_filter.user is None:
        params.refused.append(_("“%(user)s” is not the hash of a user.") % {"user": query["user"][:40]})
    params.request_filter.since, params.request_filter.until = days_of(query, params.refused)
    for bounds in RANGES:
        if money or not bounds.figures:
            setattr(params.request_filter, bounds.attribute, range_of(query, bounds.name, bounds.label, params.refused))
    if params.request_filter.words and not params.may_read:
        params.refused.append(_("Only people who may read the texts of an application can search them."))
    return params


def sort_of(sort: str | None, params: ParsedParams) -> str:
    """The order asked for; the newest first where words are looked for, and for costs that the reader may not see."""
    keys = requests.SORTS if params.money else requests.SORTS.keys() - {"cost"}
    order = known_sort(sort, keys)
    return "" if order == requests.NEWEST_FIRST or params.request_filter.words else order


def rollup_filter(request: HttpRequest) -> RequestFilter:
    """The filters that the rollups know, narrowed to what this person may see."""
    return RequestFilter(filters=without_empty(request.GET), applications=applications_of(request.user))


def application_choices(request: HttpRequest) -> list[ApplicationChoice] | None:
    """The applications, those marked whose texts this person may read; None where they may read all."""
    if request.user.has_perm("traffic.view_bodies"):
        return None
    mine = Exists(Application.objects.of_person(request.user).filter(pk=OuterRef("pk")))
    return [
        ApplicationChoice(*row)
        for row in Application.objects.annotate(mine=mine).values_list("pk", "slug", "name", "mine")
    ]


def ignored_params(query: QueryDict, taken: set[str]) -> list[str]:
    """Sentences on parameters that are no filter, here or for this person."""
    names = sorted(name for name, value in query.items() if value and name not in taken)
    sentence = _("“%(name)s” is not a filter here and has no effect.")
    sentences = [sentence % {"name": name[:40]} for name in names if name not in MONEY]
    if len(sentences) < len(names):
        sentences.append(_("A filter of this address requires the right to see figures and has no effect."))
    return sentences


def unknown_values(query: QueryDict, request_filter: RequestFilter) -> list[str]:
    """What is asked for and nothing can be, as sentences; an application out of reach is as one that is not there.

    A provider or a model is what its requests call it, so that any may be asked for."""
    seen = request_filter.applications
    slugs = {
        "deployment": Deployment.objects.all(),
        "application": Application.objects.all() if seen is None else Application.objects.filter(pk__in=seen),
    }
    there: dict[str, set[str]] = {"task": set(Task.values), "outcome": set(Outcome.values), "mark": set(SLUGS)}
    for name, rows in slugs.items():
        slugs_in_query = [value for value in query.getlist(name) if value]
        there[name] = (
            set(rows.filter(slug__in=slugs_in_query).values_list("slug", flat=True)) if slugs_in_query else set()
        )
    sentence = _("%(label)s: “%(text)s” does not exist.")
    return [
        sentence % {"label": LABELS[name], "text": value[:40]}
        for name, values in there.items()
        for value in query.getlist(name)
        if value and value not in values
    ]


class ActiveFilter(NamedTuple):
    """A filter that is set: in words, and the address without it."""

    label: str
    value: str
    without: str
    counted: bool  # whether the sums of the sentence are of what passes it


def active_filters(request: HttpRequest, params: ParsedParams) -> list[ActiveFilter]:
    """The filters that are set, the days apart."""
    query, request_filter = request.GET, params.request_filter
    words: dict[str, Mapping[str, Any]] = {
        "provider": provider_names(),
        "task": dict(Task.choices),
        "outcome": dict(Outcome.choices),
        "mark": dict(MARKS),
    }
    filters = []
    for name, label in LABELS.items():
        values = [str(words.get(name, {}).get(value, value)) for value in query.getlist(name) if value]
        if values:
            filters.append(
                ActiveFilter(
                    str(label), ", ".join(values), address(request, **{name: None}, cursor=None), name in NAMES
                )
            )
    for spec in RANGES:
        if bounds := getattr(request_filter, spec.attribute):
            without = address(request, **{f"{spec.name}_from": None, f"{spec.name}_to": None}, cursor=None)
            filters.append(ActiveFilter(str(spec.what), f"{range_words(bounds)} {spec.unit}", without, False))
    for name, label in FLAGS.items():
        if getattr(request_filter, name):
            filters.append(ActiveFilter(str(label), "", address(request, **{name: None}, cursor=None), False))
    if request_filter.user:
        filters.append(
            ActiveFilter(_("User"), request_filter.user.hex[:8], address(request, user=None, cursor=None), False)
        )
    if request_filter.words:
        filters.append(ActiveFilter(_("Words"), request_filter.words, address(request, words=None, cursor=None), False))
    return filters


def range_words(bounds: Range) -> str:
    low, high = bounds.low, bounds.high
    if low is None or high is None:
        return _("up to %(n)s") % {"n": high} if low is None else _("from %(n)s") % {"n": low}
    return _("from %(low)s to %(high)s") % {"low": low, "high": high}


def range_of(query: QueryDict, name: str, label: str, refused: list[str]) -> Range:
    """A range of the address; what is none is refused with a sentence."""
    ends = {}
    for end, suffix in (("low", "from"), ("high", "to")):
        text = query.get(f"{name}_{suffix}", "").strip()
        value = decimal(text)
        if text and value is None:
            refused.append(_("%(label)s: “%(text)s” is not a number.") % {"label": label, "text": text[:40]})
        ends[end] = value
    low, high = ends["low"], ends["high"]
    if low is not None and high is not None and low > high:
        refused.append(_("%(label)s: %(low)s is above %(high)s.") % {"label": label, **ends})
    return Range(low, high)


def days_of(query: QueryDict, refused: list[str]) -> tuple[date | None, date | None]:
    """The first day, and the day after the last; what is none is refused with a sentence."""
    texts = {name: query.get(name, "").strip() for name in ("from", "to")}
    since, until = (day_of(text) for text in texts.values())
    for text, day in zip(texts.values(), (since, until), strict=True):
        if text and day is None:
            refused.append(_("“%(text)s” is not a day. Write it as 2026-11-01.") % {"text": text[:40]})
    if since is not None and until is not None and since >= until:
        refused.append(_("There is no day from %(since)s to before %(until)s.") % {"since": since, "until": until})
    return since, until


def decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < Decimal("1e15") and abs(value.adjusted()) < 20 else None


def without_empty(query: QueryDict) -> Filters:
    """The filters of the address; a field that a form sent empty is no filter."""
    filled = query.copy()
    for name in NAMES:
        filled.setlist(name, [value for value in query.getlist(name) if value])
    return Filters.of_query(filled)


def address(request: HttpRequest, to: str | None = None, kind: str | None = None, **changes: str | None) -> str:
    """This page, or another, with some parameters changed; None takes one away."""
    path = request.path if to is None else reverse(to, args=[kind] if kind else [])
    changes = changes if to is None else {"cursor": None, "live": None, **changes}
    unchanged = [
        (key, value) for key, values in request.GET.lists() for value in values if key not in changes and value
    ]
    added = [(key, value) for key, value in changes.items() if value is not None]
    query = urlencode([*unchanged, *added])
    return f"{path}?{query}" if query else path


def fields_of(request: HttpRequest, params: ParsedParams) -> dict[str, Any]:
    """The filter form: selects with their choices as (value, label, chosen), ranges, flags, and the words."""
    flags = {name: label for name, label in FLAGS.items() if params.money or name not in MONEY}
    return {
        "selects": [
            {
                "name": name,
                "label": LABELS[name],
                "options": [(value, label, value in request.GET.getlist(name)) for value, label in offered.pairs],
                "more": offered.more,
            }
            for name, offered in choices(params.request_filter, params.applications).items()
        ],
        "ranges": [
            (
                bounds.name,
                bounds.label,
                request.GET.get(f"{bounds.name}_from", ""),
                request.GET.get(f"{bounds.name}_to", ""),
            )
            for bounds in RANGES
            if params.money or not bounds.figures
        ],
        "flags": [(name, label, name in request.GET) for name, label in flags.items()],
        "words": params.request_filter.words if params.may_read else None,
        "days": (
            ("from", _("From day, UTC"), request.GET.get("from", "")),
            ("to", _("Before day, UTC"), request.GET.get("to", "")),
        ),
    }


def choices(
    request_filter: RequestFilter, choices_read: Sequence[ApplicationChoice] | None = None
) -> dict[str, FilterChoices]:
    used = requests.choices(request_filter)
    applications = choices_read if choices_read is not None else Application.objects.only("pk", "slug", "name")
    seen = request_filter.applications
    return {
        "provider": replace(used["provider"], pairs=[(x, provider_name(x)) for x, _ in used["provider"].pairs]),
        "model": used["model"],
        "deployment": FilterChoices(list(Deployment.objects.values_list("slug", "name"))),
        "application": FilterChoices(
            [
                (application.slug, application.name)
                for application in applications
                if seen is None or application.pk in seen
            ]
        ),
        "task": FilterChoices(Task.choices),
        "outcome": FilterChoices(Outcome.choices),
        "mark": FilterChoices(MARKS),
    }
