"""A rule as a sentence: when what, for how long, tell whom."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold
from alerts.models import Rule
from alerts.wording import listed, span


def sentence(rule: Rule) -> str:
    """`When a deployment is down (one mail for a vendor from: 3 deployments down), tell ops.`"""
    kind = KINDS[rule.kind]
    try:
        read = kind.read(rule.thresholds).values
    except BadThreshold as error:
        return str(error)
    numbers = [
        f"{_(kind.thresholds[name].label)}: {amount(value)} {_(kind.thresholds[name].unit)}"
        for name, value in read.items()
    ]
    what = _(kind.label) + (f" ({'; '.join(numbers)})" if numbers else "")
    lasting = _(" for %(span)s") % {"span": span(timedelta(seconds=rule.for_s))} if rule.for_s else ""
    named = [person.get_username() for person in rule.recipients.all()] if rule.pk else []
    whom = listed(named or list(kind.groups))
    return _("When %(what)s%(lasting)s, tell %(whom)s.") % {"what": what, "lasting": lasting, "whom": whom}


def amount(value: Decimal | list[Decimal]) -> str:
    return ", ".join(f"{one:f}" for one in value) if isinstance(value, list) else f"{value:f}"
