"""A rule as a sentence: when what, for how long, tell whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.utils.translation import gettext as _

from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Kind
from alerts.metrics.scopes import Names
from alerts.metrics.thresholds import SECONDS
from alerts.models import Channel, Rule
from alerts.wording import listed, span
from lib.formats import person


def sentence(rule: Rule, names: Names | None = None) -> str:
    """`When a deployment is down (one mail for a vendor from: 3 deployments down), tell ops.`

    With `names` the sentences of many rules read each table once.
    """
    people, channels = (rule.recipients.all(), rule.channels.all()) if rule.pk else ((), ())
    return sentence_of(KINDS[rule.kind], rule.thresholds, rule.for_s, rule.groups, people, channels, names)


def sentence_of(
    kind: Kind,
    thresholds: Mapping[str, Any],
    for_s: int,
    groups: Iterable[str],
    people: Iterable[AbstractUser],
    channels: Iterable[Channel],
    names: Names | None = None,
) -> str:
    """The same of a rule that is being written, by what its form holds; `for_s` in seconds."""
    try:
        what = kind.say(thresholds, names or Names()) if kind.say else with_numbers(kind, thresholds)
    except BadThreshold as error:
        return str(error)
    lasting = _(" for %(span)s") % {"span": span(timedelta(seconds=for_s))} if for_s else ""
    named = map(person, people)
    values = {"what": what, "lasting": lasting, "whom": listed([*groups, *named] or list(kind.groups))}
    channel_names = [channel.name for channel in channels]
    if not channel_names and kind.shipped:
        return _("When %(what)s%(lasting)s, notify %(whom)s.") % values
    return _("When %(what)s%(lasting)s, notify %(whom)s by %(channel)s.") % {
        **values,
        "channel": listed([_("e-mail"), *channel_names]),
    }


def looks_for(rule: Rule) -> str:
    """What a rule looks for, without its numbers where those belong to its kind; empty for a kind that is gone."""
    kind = KINDS.get(rule.kind)
    if kind is None:
        return ""
    try:
        return kind.say(rule.thresholds, Names()) if kind.say else _(kind.label)
    except BadThreshold:
        return _(kind.label)


def with_numbers(kind: Kind, thresholds: Mapping[str, Any]) -> str:
    """The kind's label and its numbers. Raises BadThreshold."""
    numbers = [
        f"{_(kind.thresholds[name].label)}: {amount(value, kind.thresholds[name].unit)}"
        for name, value in kind.read(thresholds).values.items()
    ]
    return _(kind.label) + (f" ({' · '.join(numbers)})" if numbers else "")


def amount(value: Decimal | list[Decimal], unit: str) -> str:
    """`50, 75 %`; seconds as `3 min`, milliseconds as `10 s`."""
    if unit in (SECONDS, "ms") and not isinstance(value, list) and (unit == SECONDS or value >= 1000):
        return span(timedelta(seconds=float(value) / (1 if unit == SECONDS else 1000)))
    numbers = ", ".join(f"{number:f}" for number in value) if isinstance(value, list) else f"{value:f}"
    return f"{numbers} {_(unit)}"
