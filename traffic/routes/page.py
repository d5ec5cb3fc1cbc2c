"""What the pages of routes say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.formats import count, dollars, state
from traffic.models import BudgetState, Route, RouteUse, Strategy, Task
from traffic.routes.dry_run import Comparison, DryRun, RuleAnswer


def conditions(route: Route) -> list[str]:
    """What must hold, one sentence part each; a rule without any holds for every request."""
    labels = {value: str(label) for value, label in Task.choices}
    states = {value: str(label) for value, label in BudgetState.choices}
    applications = [application.name for application in route.applications.all()]
    sentences = [
        (route.tasks, _("its task is %(x)s"), _or(labels.get(task, task) for task in route.tasks)),
        (applications, _("it is sent by %(x)s"), _or(applications)),
        (route.requested_models, _("its model is %(x)s"), _or(route.requested_models)),
        (route.over_tokens or route.over_context, "%(x)s", _length(route)),
        (route.media is True, _("it carries images, documents, sound or video"), ""),
        (route.media is False, _("it is text only"), ""),
        (route.private is True, _("it is marked private"), ""),
        (route.private is False, _("it is not marked private"), ""),
        (route.self_only_model, _("its model is only self-hosted"), ""),
        (route.percent is not None, _("it is in %(x)s %% of conversations"), route.percent),
        (route.budget_states, _("its application’s budget: %(x)s"), _or(states.get(s, s) for s in route.budget_states)),
    ]
    return [text % {"x": value} if "%" in text else text for holds, text, value in sentences if holds]


def headline(route: Route) -> SafeString:
    """For which requests a rule holds."""
    parts = conditions(route)
    if not parts:
        return format_html(_("<b>{name}</b> applies to every request that reaches it."), name=route.name)
    text = _("<b>{name}</b> applies to a request when {conditions}.")
    return format_html(text, name=route.name, conditions=_(" and ").join(parts))


def handling(route: Route) -> str:
    """What a rule does with its targets beyond asking them in their order, in sentences; empty where nothing."""
    fallbacks = [row for row in route.fallback_set.all() if row.weight]
    weights = [(route.deployment.name, route.weight)] if route.deployment else []
    weights += [(row.deployment.name, row.weight or 0) for row in fallbacks]
    words = ", ".join(f"{name} {weight}" for name, weight in weights)
    weighted = (
        _("Equal deployments by weight: %(words)s.") if route.deployment else _("Equal deployments in equal shares.")
    )
    sentences = [
        (route.strategy == Strategy.WEIGHTED, weighted, {"words": words}),
        (route.strategy == Strategy.LEAST_BUSY, _("Of equal deployments the one with the fewest calls under way."), {}),
        (route.hedge_ms, _("A second one is asked after %(ms)s ms."), {"ms": f"{route.hedge_ms or 0:,}"}),
        (
            has_canary(route),
            _("%(canary)s answers %(n)s %% of conversations (canary)."),
            {"canary": route.canary.name if route.canary else "", "n": route.canary_percent},
        ),
        (
            route.shadow is not None,
            _("%(shadow)s gets copies for up to %(usd)s a day (shadow)."),
            {"shadow": route.shadow.name if route.shadow else "", "usd": dollars(route.shadow_usd or 0, 2)},
        ),
    ]
    return " ".join(text % values if values or "%" in text else text for holds, text, values in sentences if holds)


def use_of(route: Route) -> RouteUse | None:
    """What the gateways counted of its canary and shadow; None before the first count."""
    return getattr(route, "use", None)


def has_canary(route: Route) -> bool:
    """Whether a canary answers a share of this rule now."""
    use = use_of(route)
    return route.canary is not None and (use is None or use.returned_at is None)


def canary_sentence(route: Route) -> str:
    """How a rule's canary does, or why it was ended; empty where the rule has none."""
    use = use_of(route)
    if route.canary is None or use is None:
        return ""
    if use.returned_at is not None:
        return returned_sentence(use)
    text = ngettext("Canary: %(n)s call, %(failed)s failed.", "Canary: %(n)s calls, %(failed)s failed.", use.calls)
    return text % {"n": count(use.calls), "failed": count(use.failures)}


def returned_sentence(use: RouteUse) -> str:
    """Why a canary was ended."""
    words = {"n": count(use.calls), "failed": count(use.failures), "streams": count(use.streams),
             "slow": count(use.slow), "percent": use.route.canary_errors,
             "ms": f"{use.route.canary_ttft_ms or 0:,}"}  # fmt: skip
    if use.reason == "ttft":
        text = _("The canary was ended: %(slow)s of %(streams)s streams took longer than %(ms)s ms to begin.")
    else:
        text = _("The canary was ended: %(failed)s of %(n)s calls failed, and %(percent)s %% is the limit.")
    return text % words


def shadow_sentence(route: Route, costs: Mapping[str, Decimal] | None, today: date) -> str:
    """What a rule's shadow cost of its amount for the UTC day, and since the month began; empty where it has none."""
    use = use_of(route)
    if route.shadow is None:
        return ""
    words = {
        "usd": _exact(use.usd if use and use.day == today else Decimal(0)),
        "cap": dollars(route.shadow_usd or 0),
        "month": _("not known") if costs is None else _exact(costs.get(route.slug, Decimal(0))),
    }
    return _("Cost of the shadow: %(usd)s of %(cap)s today (UTC). This month: %(month)s.") % words


def _exact(usd: Decimal) -> str:
    """A copy may cost less than a cent."""
    return dollars(usd, 4 if 0 < usd < 1 else 2)


def routes_headline(routes: Sequence[Route]) -> str:
    """How many rules are in use."""
    enabled = sum(route.enabled for route in routes)
    if not enabled:
        return _("No route is enabled, so the gateway cannot send requests.")
    ended = [route.name for route in routes if route.enabled and route.canary and not has_canary(route)]
    if ended:
        text = _("The canary of <b>{name}</b> was ended because it passed its limit.")
        return format_html(text, name=ended[0])
    text = ngettext(
        "<b>{n}</b> of {all} routes is enabled. The first match decides.",
        "<b>{n}</b> of {all} routes are enabled. The first match decides.",
        enabled,
    )
    return format_html(text, n=enabled, all=len(routes))


TRY = gettext_lazy("Enter a call to see which route decides and why. No request is sent.")
UNMET = {
    "tasks": gettext_lazy("its task"),
    "applications": gettext_lazy("its application"),
    "budget_states": gettext_lazy("the budget of its application"),
    "private": gettext_lazy("whether it is private"),
    "requested_models": gettext_lazy("the model requested"),
    "self_only_model": gettext_lazy("not only self-hosted deployments serve the model"),
    "over_tokens": gettext_lazy("the length of its prompt"),
    "media": gettext_lazy("whether it carries an image"),
    "percent": gettext_lazy("its share of conversations"),
}


@dataclass(frozen=True, slots=True)
class TriedRule:
    """One rule's answer to a call, as a row."""

    it: RuleAnswer
    passed: bool  # a rule before it decides

    def answer(self) -> str:
        """The cell with yes or no."""
        if self.it.decides:
            return state("ok", _("decides"))
        if self.it.unmet:
            return state("unknown", _("no match"))
        if not self.it.answers:
            return state("warn", _("matches, but no target can answer"))
        return state("unknown", _("matches, but a route above decides")) if self.passed else state("ok", _("matches"))

    def why(self) -> str:
        """Which conditions do not hold."""
        return ", ".join(str(UNMET[name]) for name in self.it.unmet) if self.it.unmet else ""


@dataclass(frozen=True, slots=True)
class TriedPage:
    """What the rules would do with one call."""

    it: DryRun

    def headline(self) -> SafeString | str:
        decision = self.it.decision
        if decision is None:
            return _("No route leads this call to a deployment, so it would be refused.")
        text = _("The route <b>{rule}</b> sends this call to <b>{target}</b>.")
        return format_html(text, rule=decision.rule, target=decision.targets[0].slug)

    def rules(self) -> list[TriedRule]:
        rows, passed = [], False
        for answer in self.it.rules:
            rows.append(TriedRule(answer, passed))
            passed = passed or answer.decides
        return rows

    def beside(self) -> list[str]:
        """What else the rule does with this call."""
        decision = self.it.decision
        if decision is None or decision.of is None:
            return []
        sentences = [
            (decision.canary, _("This conversation is in the share of the canary.")),
            (decision.shadow, _("A copy goes to the shadow after the answer.")),
            (
                decision.of.strategy == Strategy.LEAST_BUSY,
                _("Any of the equal deployments may be first."),
            ),
        ]
        return [text for holds, text in sentences if holds]

    def fallbacks(self) -> str:
        """What answers where the first target cannot."""
        decision = self.it.decision
        if decision is None or len(decision.targets) == 1:
            return _("No other deployment answers if it fails.")
        return _("If it fails: %(targets)s.") % {"targets": ", ".join(target.slug for target in decision.targets[1:])}


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """The last calls under the rules as a form would change them."""

    it: Comparison

    def sentence(self) -> SafeString | str:
        if not self.it.calls:
            return _("The gateway has answered no call in the last 7 days, so there is nothing to compare with.")
        text = ngettext(
            "<b>{moved}</b> of the last <b>{n}</b> call would go to another deployment.",
            "<b>{moved}</b> of the last <b>{n}</b> calls would go to another deployment.",
            self.it.calls,
        )
        return format_html(text, moved=count(self.it.moved), n=count(self.it.calls))

    def facts(self) -> list[tuple[str, str]]:
        """Figures of the calls that would go elsewhere."""
        it = self.it
        if not it.moved:
            return []
        priced = it.moved - it.unpriced
        figures = [
            (_("They cost, at the prices of their day"), dollars(it.cost_before, 4) if priced else _("unknown")),
            (_("They would have cost"), dollars(it.cost_after, 4) if priced else _("unknown")),
        ]
        more = (
            (_("Without a known cost on one side, not included"), it.unpriced),
            (_("With a prompt that is too long there"), it.do_not_fit),
            (_("Without any deployment that could answer"), it.nowhere),
        )
        return figures + [(name, count(number)) for name, number in more if number]


def _or(words: Iterable[str]) -> str:
    return str(_(" or ")).join(words)


def _length(route: Route) -> str:
    """Either limit of the prompt's length is enough."""
    tokens = f"{route.over_tokens or 0:,}"
    if not route.over_context:
        return _("it is longer than %(n)s tokens") % {"n": tokens}
    if not route.over_tokens:
        return _("it is longer than self-hosted deployments accept")
    return _("it is longer than %(n)s tokens or than self-hosted deployments accept") % {"n": tokens}
