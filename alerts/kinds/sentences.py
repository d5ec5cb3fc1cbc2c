"""A rule as a sentence: when what, for how long, tell whom."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Kind
from alerts.metrics.scopes import Names
from alerts.models import Rule
from alerts.wording import listed, span


def sentence(rule: Rule, names: Names | None = None) -> str:
    """`When a deployment is down (one mail for a vendor from: 3 deployments down), tell ops.`

    With `names` the sentences of many rules read each table once.
    """
    kind = KINDS[rule.kind]
    try:
        what = kind.say(rule.thresholds, names or Names()) if kind.say else with_numbers(kind, rule)
    except BadThreshold as error:
        return str(error)
    lasting = _(" for %(span)s") % {"span": span(timedelta(seconds=rule.for_s))} if rule.for_s else ""
    named = [person.get_full_name() or person.get_username() for person in rule.recipients.all()] if rule.pk else []
    values = {"what": what, "lasting": lasting, "whom": listed([*rule.groups, *named] or list(kind.groups))}
    channels = [channel.name for channel in rule.channels.all()] if rule.pk else []
    if not channels and kind.shipped:
        return _("When %(what)s%(lasting)s, tell %(whom)s.") % values
    return _("When %(what)s%(lasting)s, tell %(whom)s by %(channel)s.") % {
        **values,
        "channel": listed([_("e-mail"), *channels]),
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


def with_numbers(kind: Kind, rule: Rule) -> str:
    """The kind's label and its numbers. Raises BadThreshold."""
    numbers = [
        f"{_(kind.thresholds[name].label)}: {amount(value)} {_(kind.thresholds[name].unit)}"
        for name, value in kind.read(rule.thresholds).values.items()
    ]
    return _(kind.label) + (f" ({'; '.join(numbers)})" if numbers else "")


def amount(value: Decimal | list[Decimal]) -> str:
    return ", ".join(f"{number:f}" for number in value) if isinstance(value, list) else f"{value:f}"
