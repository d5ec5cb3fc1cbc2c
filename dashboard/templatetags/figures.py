"""Marks a figure on a page or in a mail with its meaning, so that equal meanings can be compared.

A marked figure is HTML's `data` element: `<data class="figure" data-figure="spend" data-period="2026-11"
value="392.87">$393</data>`. `manage.py audit --pages` collects them and names any two that differ. What a meaning is
stands in `MEANINGS`; a figure without one is not marked.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# Name of a meaning: what it is, and its unit.
MEANINGS = {
    "spend": "what a month has cost so far, USD, by the ledger",
    "forecast": "what a month will come to, USD, the middle of its forecast",
    "budget": "what a month may cost, USD, the high end",
    "saving": "what self-hosting saves a month at the run rate, USD",
    "crossing": "requests a month from which self-hosting costs no more",
    "run-rate": "requests a month at the mean of the last 30 days",
    "open-alerts": "open alerts that are not acknowledged, assigned or snoozed",
    "deployments-up": "deployments that answer their checks now",
    "running-leases": "leases that run now",
    "acceptable-share": "share of acceptable answers of self-hosted deployments in 30 days, 0 to 1",
    "utilisation": "share of a GPU's capacity that is used, 0 to 1; scope: the lease",
    "bill-gap": "a month's bill less our records, USD; scope: the provider",
    "unallocated": "what no application is known for in a month, USD",
}


@register.simple_tag
def figure(text: object, name: str, value: object, period: date | str = "", scope: object = "") -> SafeString:
    """`{% figure month.spent|usd "spend" month.spent month.first %}`: the text, marked with what it means.

    `value` is the exact figure that the text shows rounded; None is unknown and stays unmarked. A `period` is a month's
    first day or a text. Raises KeyError for a name that is not in `MEANINGS`.
    """
    MEANINGS[name]
    if value is None:
        return format_html("{}", text)
    shown = f"{value:f}" if isinstance(value, Decimal) else str(value)
    month = f"{period:%Y-%m}" if isinstance(period, date) else period
    return format_html(
        '<data class="figure" data-figure="{}" data-period="{}" data-scope="{}" value="{}">{}</data>',
        name, month, scope, shown, text,
    )  # fmt: skip
