"""Rules that people make: any named figure of anything, over or under a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Bar, Finding, RuleParams, Words
from alerts.kinds.money import drivers
from alerts.metrics.metric import Reading
from alerts.metrics.scopes import Names
from alerts.metrics.watch import Watch, capital
from alerts.wording import number
from costs.allocation.queries import GroupBy
from lib.formats import known_part


def watched(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each rule: what its figure is of. Raises BadThreshold, and Missing where that is gone."""
    watch = Watch.of(params.stored)
    place = context.current.names.place(watch.scope)
    reading = watch.read(context.current, place)
    return (finding_of(context, watch, reading),)


def finding_of(context: EvaluationContext, watch: Watch, reading: Reading) -> Finding:
    """An unknown value holds no line crossed: what cannot be seen cannot be claimed to go on."""
    observation = watch.observe(reading)
    crossed = observation.crossed
    value, what = value_text(watch, reading), watch.what(context.current.names)
    title = _("%(what)s: %(value)s, %(against)s") if crossed else _("%(what)s: %(value)s, not %(against)s")
    return Finding(
        subject=watch.subject[:200],
        title=title % {"what": capital(what), "value": value, "against": watch.against},
        crossed=crossed,
        clear=observation.clear,
        value="" if reading.value is None else f"{reading.value.quantize(Decimal('0.0001')).normalize():f}",
        threshold=f"{watch.line:f}",
        words=words_of(context, watch, reading) if crossed else Words(page=watch.metric.path(watch.scope)),
    )


def value_text(watch: Watch, reading: Reading) -> str:
    if reading.value is None:
        return _("unknown")
    value = watch.metric.unit.say(reading.value)
    return known_part(value, reading.at_least)


def words_of(context: EvaluationContext, watch: Watch, reading: Reading) -> Words:
    value, line = value_text(watch, reading), watch.metric.unit.say(watch.line)
    dimensions = {name for name, _value in watch.scope.names}
    money = watch.key in ("spend", "budget-use") and "phase" not in dimensions
    by: GroupBy = "model" if "application" in dimensions else "application"
    place = context.current.names.place(watch.scope)
    return Words(
        todo=_("Check what changed it. If the value is normal, change the rule’s limit."),
        detail=_("%(what)s is %(value)s, limit %(line)s.")
        % {"what": capital(watch.what(context.current.names)), "value": value, "line": line},
        facts=[[_("Now"), value, watch.window.words], [_("Limit"), line, _("this rule")]],
        bars=bars_of(watch, reading),
        drivers=drivers(context, context.month_of(place.filters, by)) if money else [],
        page=watch.metric.path(watch.scope),
    )


def bars_of(watch: Watch, reading: Reading) -> list[Bar]:
    value, line = reading.value or Decimal(0), watch.line
    most = max(value, line) or Decimal(1)
    rows = [(_("Now"), value, "us"), (_("Limit"), line, "limit")]
    return [
        Bar(label=label, text=watch.metric.unit.say(amount), share=float(amount / most), tone=tone)
        for label, amount, tone in rows
    ]


def sentence(thresholds: Mapping[str, Any], names: Names) -> str:
    """`spend of application Support bot this month is over $500`. Raises BadThreshold."""
    watch = Watch.of(thresholds)
    text = _("%(what)s is %(against)s") % {"what": watch.what(names), "against": watch.against}
    return text + (_(" of at least %(n)s requests") % {"n": number(watch.least)} if watch.least else "")
