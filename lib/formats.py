"""Filters and small marks for figures. Pure: a value in, text or a `<span>` out; sums are rounded here alone.

`None` is never shown as 0: it becomes the *unknown* mark, or an en dash where a figure does not apply (`|usd:"dash"`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Protocol

from django import template
from django.template.defaultfilters import floatformat
from django.utils import timezone
from django.utils.dates import MONTHS, MONTHS_3
from django.utils.formats import date_format, get_format
from django.utils.html import format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

register = template.Library()

Number = Decimal | int | float
MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
DASH = mark_safe('<span class="none">\N{EN DASH}</span>')

PROVENANCES = ("billed", "measured", "estimated", "entered")
STATES = ("ok", "warn", "bad", "unknown", "info")


def sentences(*texts: str) -> SafeString:
    """Sentences in one line, with a space between two; empty ones are left out, texts without markup are escaped."""
    return format_html_join(" ", "{}", ((text,) for text in texts if text))


@register.filter(is_safe=True)
def without_links(text: str) -> str:
    """The words of HTML, for a line that is a link itself; a text without markup as it is."""
    return strip_tags(text) if isinstance(text, SafeString) else text


def to_decimal(value: object) -> Decimal | None:
    """`value` as Decimal; None when it is missing or is no number, so that garbage shows as unknown and never as 0."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def grouped(value: Decimal, places: int, rounding: str = ROUND_HALF_EVEN) -> str:
    """`value` with `places` decimals, grouped by thousands in the reader's language, with a real minus sign."""
    text = f"{value.quantize(Decimal(1).scaleb(-places), rounding):,.{places}f}"
    if text.startswith("-"):
        text = MINUS + text[1:] if any(c in "123456789" for c in text) else text[1:]
    if (get_language() or "en")[:2] != "en":
        marks = {
            ",": get_format("THOUSAND_SEPARATOR"),
            ".": get_format("DECIMAL_SEPARATOR"),
        }
        text = "".join(marks.get(c, c) for c in text)
    return text


def missing(kind: str = "") -> SafeString:
    """What stands where a figure is None: the unknown mark, or an en dash when `kind` is "dash"."""
    return (
        DASH if kind == "dash" else format_html('<span class="provenance provenance-unknown">{}</span>', _("unknown"))
    )


def money(value: object, places: int = 2) -> str | None:
    """A sum without its currency: `1,234.56`. One that would round to zero says `<0.01`, a true zero is `0.00`."""
    amount = to_decimal(value)
    if amount is None:
        return None
    least = Decimal(1).scaleb(-places)
    if amount and abs(amount) < least / 2:
        return f"<{least}" if amount > 0 else f">{MINUS}{least}"
    return grouped(amount, places)


@register.filter
def usd(value: object, kind: str = "") -> str:
    """`{{ spent|usd }}` -> 1,234.56; None -> the unknown mark, or – with `|usd:"dash"`."""
    return money(value) or missing(kind)


@register.filter
def dollars(value: object, places: int = 2) -> str:
    """For sentences: `{{ spent|dollars }}` -> $1,234.56, `{{ plan|dollars:0 }}` -> $1,235."""
    text = money(value, places)
    if text is None:
        return missing()
    return f"{text[0]}${text[1:]}" if text[0] in f"{MINUS}<" else f"${text}"


@register.filter
def person(account: Any) -> str:
    """`{{ alert.assigned_to|person }}`: a person by full name, else by user name; empty for None."""
    return str(account.get_full_name() or account.get_username()) if account else ""


class Span(Protocol):
    """Two ends of a figure."""

    @property
    def low(self) -> Decimal: ...

    @property
    def high(self) -> Decimal: ...


@register.filter
def usd_span(value: Span) -> str:
    """`{{ row.monthly|usd_span }}` -> 80.00–130.00, or one sum where both ends are equal."""
    return usd(value.low) if value.low == value.high else f"{usd(value.low)}–{usd(value.high)}"


@register.filter
def span(value: Span, places: int | str = -2) -> str:
    """`{{ row.speed|span }}` -> 40–62.50, or one figure where both ends are equal; `places` as for `floatformat`."""
    low, high = floatformat(value.low, places), floatformat(value.high, places)
    return low if value.low == value.high else f"{low}–{high}"


@register.filter
def usd4(value: object, kind: str = "") -> str:
    """The cost of one request: four decimals, or two significant digits when it is smaller than that (0.000034)."""
    amount = to_decimal(value)
    if amount is None:
        return missing(kind)
    places = 4 if not amount or abs(amount) >= Decimal("0.001") else min(12, 1 - amount.adjusted())
    return money(amount, places) or missing(kind)


@register.filter
def rate(value: object, kind: str = "") -> str:
    """A price by which something is reckoned, with all its decimals and at least two: 0.025, 15.00."""
    amount = to_decimal(value)
    if amount is None:
        return missing(kind)
    places = -int(amount.normalize().as_tuple().exponent)
    return money(amount, max(2, min(places, 12))) or missing(kind)


@register.filter
def signed_usd(value: object) -> str:
    """A difference: `+26.63`, `−7.50`, `0.00`."""
    amount, text = to_decimal(value), money(value)
    if amount is None or text is None:
        return missing()
    return f"+{text}" if amount > 0 else text


AT_LEAST = "≥"


@register.filter
def at_least_dollars(value: object, unknown: object, places: int = 2) -> str:
    """For titles and rows: a total with an unknown in it, ≥ $231.77; plain when `unknown` is 0."""
    return f"{AT_LEAST}{THIN}{dollars(value, places)}" if unknown else dollars(value, places)


def known_part(total: str, unknown: object) -> str:
    """For sentences and subjects: the text of a total, `at least $231.77` where there is an `unknown` in it."""
    return _("at least %(total)s") % {"total": total} if unknown else total


@register.filter
def at_least(value: object, unknown: object = True) -> str:
    """A total with an unknown in it: `{{ total|at_least:unpriced }}` -> ≥ 231.77, plain when it is 0."""
    text = money(value)
    if text is None:
        return missing()
    return f"{AT_LEAST}{THIN}{text}" if unknown else text


@register.filter
def count(value: object, kind: str = "") -> str:
    """A whole number: 152,400."""
    number = to_decimal(value)
    return missing(kind) if number is None else grouped(number, 0)


def rounded_count(value: int) -> str:
    """For sentences: a whole number with three significant digits, `216,400` -> 216,000."""
    return count(round(value, min(3 - len(str(abs(value))), 0)))


@register.filter
def percent(value: object, places: int | str = "") -> str:
    """A share between 0 and 1: `0.94` -> 94 %, `0.0009` -> 0.1 %, `|percent:2` -> 99.95 %.

    A share that is not the whole never reads 100 %, one that is not nothing never reads 0 %.
    """
    share = to_decimal(value)
    if share is None:
        return missing(str(places))
    number = share * 100
    digits = places if isinstance(places, int) else (1 if number and abs(number) < 1 else 0)
    least = Decimal(1).scaleb(-digits)
    if number and abs(number) < least / 2:
        return f"<{least}{THIN}%" if number > 0 else f">{MINUS}{least}{THIN}%"
    close_to_whole = abs(number) < 100 <= abs(number.quantize(least))
    return f"{grouped(number, digits, ROUND_DOWN if close_to_whole else ROUND_HALF_EVEN)}{THIN}%"


@register.filter
def signed_percent(value: object) -> str:
    """A relative change: `0.13` -> +13 %."""
    share = to_decimal(value)
    return missing() if share is None else f"+{percent(share)}" if share > 0 else percent(share)


@register.filter
def duration(value: object, kind: str = "") -> str:
    """Milliseconds (or a timedelta) as a person says them: 84 ms, 1.24 s, 12.4 s, 3 min 10 s, 9 h 40 min, 12 d."""
    number = to_decimal(value.total_seconds() * 1000 if isinstance(value, timedelta) else value)
    if number is None:
        return missing(kind)
    sign, ms = (MINUS if number < 0 else ""), abs(number)
    if ms < Decimal("999.5"):
        return f"{sign}{grouped(ms, 0)} ms"
    if ms < 60_000:
        return f"{sign}{grouped(ms / 1000, 2 if ms < 10_000 else 1)} s"
    return sign + span_of_time(int(ms / 1000))


def span_of_time(seconds: int) -> str:
    """A minute or more, in its two largest units; zero ones are left out."""
    for size, unit, part, part_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            more = f" {rest // part} {part_unit}" if rest >= part and whole < 10 else ""
            return f"{whole} {unit}{more}"
    return f"{seconds} s"


def day_text(value: date) -> str:
    """`18 Jun`, with the year when it is not the present one."""
    year = "" if value.year == timezone.now().year else f" {value.year}"
    return f"{value.day} {str(MONTHS_3[value.month]).capitalize()}{year}"


def aware(value: datetime) -> datetime:
    return value.astimezone(UTC) if timezone.is_aware(value) else value.replace(tzinfo=UTC)


def local(value: datetime) -> datetime:
    """The moment in the active zone: of a page or a mail its reader's, else UTC."""
    return timezone.localtime(aware(value))


def zone_name(moment: datetime) -> str:
    """`UTC`, `CET`; of a zone without letters `UTC+03`."""
    name = moment.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


@register.filter
def when(value: date | datetime | None, kind: str = "") -> str:
    """A moment: `18 Jun, 14:00` in a `<time>`, in the active zone, which the foot of the page names. A date stays a
    date. Where the reader chose no zone it is UTC, and app.js rewrites it to the browser's."""
    if value is None:
        return missing(kind)
    if not isinstance(value, datetime):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), day_text(value))
    moment = local(value)
    text = f"{day_text(moment)}, {moment:%H:%M}"
    return format_html('<time class="when" datetime="{}">{}</time>', f"{aware(value):%Y-%m-%dT%H:%M:%SZ}", text)


@register.filter
def until(value: datetime) -> SafeString:
    """A moment of the coming week: `Thursday 14:00 UTC` in a `<time>`, in the active zone and with its name."""
    moment = local(value)
    return format_html(
        '<time class="when" data-form="weekday" datetime="{}">{} {}</time>',
        f"{aware(value):%Y-%m-%dT%H:%M:%SZ}",
        date_format(moment, "l H:i"),
        zone_name(moment),
    )


@register.filter
def month(value: date | None) -> str:
    """`June`, or `June 2025` when it is not this year's."""
    if value is None:
        return missing()
    name = str(MONTHS[value.month])
    return name if value.year == timezone.now().year else f"{name} {value.year}"


@register.filter
def ago(value: datetime | None, kind: str = "") -> str:
    """How long since, or until: `26 h ago`, `in 15 min`, `now`; the `<time>` carries the exact moment."""
    if value is None:
        return missing(kind)
    moment = local(value)
    seconds = int((timezone.now() - moment).total_seconds())
    span = rough_span(abs(seconds))
    text = _("now") if not span else (_("%(span)s ago") if seconds > 0 else _("in %(span)s")) % {"span": span}
    return format_html(
        '<time datetime="{}" title="{}, {} {}">{}</time>',
        f"{aware(value):%Y-%m-%dT%H:%M:%SZ}",
        day_text(moment),
        f"{moment:%H:%M}",
        zone_name(moment),
        text,
    )


def rough_span(seconds: int) -> str:
    """One unit is enough for an age; under five seconds is now (empty)."""
    if seconds < 5:
        return ""
    for unit, size, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400} d"


@register.simple_tag
def state(kind: str, word: str) -> SafeString:
    """`{% state "warn" "Tight" %}`: a shape, a word, then a colour. Kinds: ok warn bad unknown info."""
    if kind not in STATES:
        raise ValueError(f"state must be one of {', '.join(STATES)}, not {kind!r}")
    return format_html('<span class="state {}">{}</span>', kind, word)


def provenance_word(kind: str) -> str:
    words = {
        "billed": pgettext("provenance", "billed"),
        "measured": pgettext("provenance", "measured"),
        "estimated": pgettext("provenance", "estimated"),
        "entered": pgettext("provenance", "entered"),
        "unknown": pgettext("provenance", "unknown"),
    }
    return words[kind]


@register.simple_tag
def provenance(kind: str, share: object = None, text: str = "") -> SafeString:
    """How a figure is known: `{% provenance "billed" 0.94 %}` -> billed 94 %; `text` replaces the word."""
    word = text or provenance_word(kind)
    if share is not None:
        word = f"{word} {percent(share)}"
    return format_html('<span class="provenance prov-{}">{}</span>', kind, word)


@register.simple_tag
def known_from(amounts: Mapping[str, object]) -> SafeString:
    """Badges of a total's split by provenance, largest first: `{% known_from total.provenance %}`."""
    by_provenance = {kind: to_decimal(amount) or Decimal(0) for kind, amount in amounts.items() if kind in PROVENANCES}
    total = sum(by_provenance.values(), Decimal(0))
    if total <= 0:
        return missing("dash")
    largest_first = sorted((item for item in by_provenance.items() if item[1] > 0), key=lambda item: -item[1])
    return format_html_join(
        " ",
        "{}",
        [(provenance(kind, amount / total),) for kind, amount in largest_first],
    )


@register.simple_tag
def delta(now: object, before: object) -> SafeString:
    """A change and its size: `{% delta 231.77 212.17 %}` -> +19.60 (+9 %). Unknown when either side is."""
    new, old = to_decimal(now), to_decimal(before)
    if new is None or old is None:
        return missing("dash")
    share = format_html(' <span class="delta">({})</span>', signed_percent((new - old) / old)) if old else ""
    return format_html("{}{}", signed_usd(new - old), share)


@register.simple_tag
def requests(number: object) -> str:
    """`1 request`, `41 requests`: the count with its noun."""
    whole = int(to_decimal(number) or 0)
    return ngettext("%(n)s request", "%(n)s requests", whole) % {"n": count(whole)}


# A figure that stands on several pages is marked with its meaning, by HTML's `data` element. `manage.py audit --pages`
# collects the marks and names any two that differ.

# Name of a meaning: what it is, and its unit.
MEANINGS = {
    "spend": "what a month has cost so far, USD, by the ledger",
    "forecast": "what a month will come to, USD, the middle of its forecast",
    "budget": "what a month may cost, USD, the high end",
    "saving": "what self-hosting saves a month at the run rate, USD",
    "saving-low": "the low end of the 95 % interval of `saving`, USD",
    "saving-high": "the high end of the 95 % interval of `saving`, USD",
    "crossing": "requests a month from which self-hosting costs no more",
    "crossing-low": "the lower end of its interval, requests a month",
    "crossing-high": "the upper end of its interval, requests a month",
    "run-rate": "requests a month that Break-even compares, at the mean of the last 30 days",
    "whole-run-rate": "requests a month of all applications, with those that are not compared, at the same mean",
    "decision": "what a signed decision chose; scope: its number",
    "open-alerts": "open alerts that are not acknowledged, assigned or snoozed",
    "deployments-up": "deployments that answer their checks now",
    "running-leases": "leases that run now",
    "acceptable-share": "share of self-hosted deployments' acceptable answers in 30 days, 0 to 1; scope: the task",
    "busy": "share of the time that a GPU is busy, as its vendor reports it, else its engine, 0 to 1; scope: the lease",
    "idle-cost": "what a lease has cost since its last request, USD; scope: the lease",
    "lease-month": "what a lease costs in 730 hours, USD; period: its price an hour; scope: the lease",
    "uptime": "share of the checked time in which a deployment was up, 0 to 1; scope: the deployment",
    "capacity-used": "tokens that our own GPUs serve, of those that they could serve, 0 to 1",
    "bill-gap": "a month's bills less our records of the days that they hold, USD; scope: the providers",
    "bill-difference": "a month's bill less our records of all its days, USD; scope: the provider",
    "unallocated": "what a month's statements charge to no application, or to no owner, USD; scope: which of both",
}

SHARES = frozenset({"acceptable-share", "busy", "capacity-used", "uptime"})  # of 1; the others are USD or counts


@register.simple_tag
def figure(text: object, name: str, value: object, period: date | str = "", scope: object = "") -> SafeString:
    """`{% figure month.spent|usd "spend" month.spent month.first %}`: the text, marked with what it means.

    `value` is the exact figure that the text shows rounded; None is unknown and stays unmarked. A `period` is a month's
    first day or a text. Raises KeyError for a name that is not in `MEANINGS`.
    """
    MEANINGS[name]
    if value is None:
        return format_html("{}", text)
    month = f"{period:%Y-%m}" if isinstance(period, date) else period
    return format_html(
        '<data class="figure" data-figure="{}" data-period="{}" data-scope="{}" value="{}">{}</data>',
        name, month, scope, figure_value(name, value), text,
    )  # fmt: skip


def figure_value(name: str, value: object) -> str:
    """A figure as its mark has it: money to the cent, as a statement adds up what was rounded for each application."""
    if isinstance(value, float):
        return str(round(value, 6))  # floats that were added up in another order differ in their last digits
    return f"{value:.{6 if name in SHARES else 2}f}" if isinstance(value, Decimal) else str(value)
