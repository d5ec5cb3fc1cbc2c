"""What the Quality page shows and says, from the scoreboard's groups. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from lib.formats import count, percent
from traffic.quality.agreement import Bias
from traffic.quality.criteria import CriterionResult
from traffic.quality.queries import COMPARED_DAYS, ENOUGH, PASS, GroupBy, QualityGroup, differ

TITLES = {"deployment": gettext_lazy("Deployment"), "model": gettext_lazy("Model"), "task": gettext_lazy("Task")}
NONE_JUDGED = {
    "deployment": gettext_lazy("No deployment has enough ratings to be judged"),
    "model": gettext_lazy("No model has enough ratings to be judged"),
    "task": gettext_lazy("No task has enough ratings to be judged"),
}
JUDGED = {
    "deployment": ngettext_lazy(
        "%(passing)s of %(n)s rated deployment meets the %(target)s target",
        "%(passing)s of %(n)s rated deployments meet the %(target)s target",
        "n",
    ),
    "model": ngettext_lazy(
        "%(passing)s of %(n)s rated model meets the %(target)s target",
        "%(passing)s of %(n)s rated models meet the %(target)s target",
        "n",
    ),
    "task": ngettext_lazy(
        "%(passing)s of %(n)s rated task meets the %(target)s target",
        "%(passing)s of %(n)s rated tasks meet the %(target)s target",
        "n",
    ),
}


def share_words(group: QualityGroup) -> SafeString:
    """`90 % (77 %–96 %)`: the share of acceptable answers with its interval."""
    low, high = group.interval
    return format_html("<b>{}</b> ({}–{})", percent(group.acceptable_share), percent(low), percent(high))


@dataclass(frozen=True, slots=True)
class Named:
    """A group with the name that people read."""

    name: str
    group: QualityGroup

    def note(self) -> str:
        """That it has too few ratings, or raters who disagree; empty where neither holds."""
        if self.group.enough:
            return _("raters do not agree enough") if self.group.agreement.trusted is False else ""
        text = ngettext(
            "%(n)s rating: too few to call, %(enough)s are needed",
            "%(n)s ratings: too few to call, %(enough)s are needed",
            self.group.ratings,
        )
        return text % {"n": self.group.ratings, "enough": ENOUGH}


@dataclass(frozen=True, slots=True)
class Table:
    """One grouping; `money`: its reader may see what an answer costs."""

    kind: GroupBy
    groups: Sequence[Named]
    money: bool

    @property
    def costs(self) -> bool:
        """Whether it has a column of costs."""
        return self.money and any(named.group.cost_per_accepted_answer is not None for named in self.groups)

    @property
    def low(self) -> float:
        """Where the scale of the drawn intervals begins, a round tenth below all of them."""
        low = min((named.group.interval[0] for named in self.groups), default=0.0)
        return max(0.0, int(low * 10) / 10)

    def title(self) -> str:
        """Of its first column."""
        return str(TITLES[self.kind])

    def heading(self) -> str:
        """How many groups are good enough, of those with enough ratings."""
        judged = [named.group for named in self.groups if named.group.enough]
        if not judged:
            return str(NONE_JUDGED[self.kind])
        words = {"n": len(judged), "passing": sum(group.passes for group in judged), "target": percent(PASS)}
        return str(JUDGED[self.kind] % words)


@dataclass(frozen=True, slots=True)
class Answer:
    """The figures of the first sentence: all ratings of some days, and the groups, the most rated first.

    `alike` are the groups that have enough ratings of the same `task` in the last `COMPARED_DAYS`; groups are compared
    on it alone.
    """

    total: QualityGroup | None
    groups: Sequence[Named]
    days: int
    task: str = ""
    alike: Sequence[Named] = ()

    def agreement(self) -> str:
        """How far raters agree on answers that several of them rated; empty where too few were."""
        agreement = self.total.agreement if self.total else None
        if agreement is None or agreement.trusted is None:
            return ""
        text = _("raters agree") if agreement.trusted else _("raters do not agree enough")
        items = ngettext("%(n)s answer", "%(n)s answers", agreement.items) % {"n": count(agreement.items)}
        return _("%(text)s: alpha %(alpha)s over %(items)s") % {
            "text": text, "alpha": agreement.alpha_words(), "items": items,
        }  # fmt: skip

    def headline(self) -> str:
        if self.total is None:
            text = ngettext(
                "No ratings in the last %(n)s day, so quality is not known.",
                "No ratings in the last %(n)s days, so quality is not known.",
                self.days,
            )
            return text % {"n": self.days}
        if not self.total.enough:
            text = ngettext(
                "Only <b>{n} rating</b> in {days} days: too few to judge a model.",
                "Only <b>{n} ratings</b> in {days} days: too few to judge a model.",
                self.total.ratings,
            )
            return format_html(text, n=self.total.ratings, days=self.days)
        text = _("{share} of <b>{n}</b> ratings find the answer acceptable")
        share = format_html(text, share=share_words(self.total), n=count(self.total.ratings))
        return format_html("{}{}.", share, self._comparison())

    def _comparison(self) -> str:
        """The two most rated groups of one task, the better one first; or why none are compared."""
        judged = [named for named in self.groups if named.group.enough]
        if len(self.alike) < 2:
            if len(judged) > 1:
                text = _(
                    ". Deployments are not compared: no task has enough ratings of two of them in the last %(days)s"
                    " days"
                )
                return text % {"days": COMPARED_DAYS}
            return _(". Only %(name)s has enough ratings to be judged") % {"name": judged[0].name} if judged else ""
        better, other = sorted(self.alike[:2], key=lambda named: -named.group.acceptable_share)
        real = differ(better.group, other.group)
        return format_html(
            _(". For {task} in the last {days} days: {better} {share}, {other} {other_share}, {difference}"),
            task=self.task,
            days=COMPARED_DAYS,
            better=better.name,
            share=share_words(better.group),
            other=other.name,
            other_share=share_words(other.group),
            difference=_("a real difference") if real else _("too close to call"),
        )


@dataclass(frozen=True, slots=True)
class CriteriaTable:
    """What ratings by one version of a rubric add up to: a row for each deployment, a cell for each criterion."""

    rubric: str
    version: int
    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[CriterionResult]]]

    def title(self) -> str:
        return _("%(rubric)s, version %(version)s") % {"rubric": self.rubric, "version": self.version}

    def cells(self) -> list[tuple[str, list[tuple[str, str, str]]]]:
        """Each row's name, and for each criterion its name, its result and how many ratings have a mark."""
        return [
            (name, [(it.criterion.name, result_words(it), f"n {count(it.n)}") for it in results])
            for name, results in self.rows
        ]


def result_words(result: CriterionResult) -> str:
    """`4.0 (3.2–4.8)`, `75 % (30 %–95 %)`, or each tag with its share; a dash where no mark is given."""
    if result.criterion.kind == "tags":
        shares = [f"{tag} {percent(times / result.n)}" for tag, times in result.counts.items()] if result.n else []
        return ", ".join(shares) or "–"
    mean, interval = result.mean, result.interval
    if mean is None:
        return "–"
    words = percent if result.criterion.kind == "yes_no" else (lambda value: f"{value:.1f}")
    return f"{words(mean)} ({words(interval[0])}–{words(interval[1])})" if interval else words(mean)


def criteria_tables(results: Mapping[Any, Sequence[CriterionResult]], names: Mapping[str, str]) -> list[CriteriaTable]:
    """One table for each version of a rubric, with the names of deployments by slug."""
    by_rubric: dict[tuple[str, int], dict[str, list[CriterionResult]]] = {}
    for key, of_group in results.items():
        name = names.get(key or "") or key or _("not known")
        for result in of_group:
            by_rubric.setdefault((result.rubric, result.version), {}).setdefault(name, []).append(result)
    return [
        CriteriaTable(*rubric, [result.criterion.name for result in next(iter(rows.values()))], list(rows.items()))
        for rubric, rows in sorted(by_rubric.items(), key=lambda row: (row[0][0], -row[0][1]))
    ]


@dataclass(frozen=True, slots=True)
class RaterLine:
    """One rater's stars beside those of others on the same answers, and how many gold answers they judged rightly."""

    name: str
    bias: Bias | None
    gold_right: int = 0
    gold: int = 0

    def words(self) -> str:
        """`0.4 stars stricter (0.1 to 0.7)`, as far as the interval allows it; empty with too few shared answers."""
        if self.bias is None:
            return ""
        low, high = sorted((abs(self.bias.low), abs(self.bias.high)))
        values = {"middle": f"{abs(self.bias.middle):.1f}", "low": f"{low:.1f}", "high": f"{high:.1f}"}
        if not self.bias.is_real:
            text = _("no difference shown (%(low)s to %(high)s stars)")
            return text % {"low": f"{self.bias.low:+.1f}", "high": f"{self.bias.high:+.1f}"}
        text = _("%(middle)s stars stricter (%(low)s to %(high)s)")
        milder = _("%(middle)s stars milder (%(low)s to %(high)s)")
        return (milder if self.bias.middle > 0 else text) % values

    @property
    def mark(self) -> str:
        """The kind of its state."""
        return "warn" if self.bias and self.bias.is_real else "ok"

    def gold_words(self) -> str:
        """`9 of 10`; empty without one."""
        return _("%(right)s of %(n)s") % {"right": count(self.gold_right), "n": count(self.gold)} if self.gold else ""
