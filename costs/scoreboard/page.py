"""The sentences, tables and the chart of the scoreboard with costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.scoreboard.queries import Place, Row, Scoreboard, frontier, places
from lib.formats import count, percent
from traffic.comparisons.page import ComparisonsPage
from traffic.quality.page import TITLES
from traffic.quality.queries import ENOUGH, NO_AGREEMENT, PASS, GroupBy


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One group with the name that people read."""

    name: str
    row: Row

    def note(self) -> str:
        """That it has too few ratings; empty where it has enough."""
        if self.row.score.enough:
            return ""
        return _("too few ratings, %(enough)s are needed") % {"enough": ENOUGH}

    def interval(self) -> str:
        low, high = self.row.score.interval
        return f"{percent(low)} – {percent(high)}"

    def stars(self) -> str:
        """The mean of the stars with its interval; empty without stars."""
        score = self.row.score
        if score.mean is None:
            return ""
        if score.mean_interval is None:
            return f"{score.mean:.1f}"
        low, high = score.mean_interval
        return f"{score.mean:.1f} ({low:.1f}–{high:.1f})"

    def agreement(self) -> str:
        """Alpha, and whether it is enough to draw conclusions; empty where too few answers were rated twice."""
        agreement = self.row.agreement
        if agreement.trusted is None:
            return ""
        alpha = agreement.alpha_words()
        return alpha if agreement.trusted else _("%(alpha)s, too low") % {"alpha": alpha}


@dataclass(frozen=True)
class ScoreboardPage:
    """Quality beside cost and first token. `names` are those that people read, by kind and key."""

    board: Scoreboard
    names: Mapping[str, Mapping[str, str]]
    own: frozenset[str]  # slugs of self-hosted deployments

    @cached_property
    def tables(self) -> list[tuple[str, str, list[ScoreRow]]]:
        """Kind, title and rows of each grouping that has any."""
        made = [(kind, str(TITLES[kind]), self._named(kind)) for kind in ("deployment", "model", "task")]
        return [table for table in made if table[2]]

    def _named(self, kind: GroupBy) -> list[ScoreRow]:
        names = self.names.get(kind, {})
        return [
            ScoreRow(names.get(row.score.key or "", row.score.key or _("not known")), row)
            for row in self.board.rows(kind)
        ]

    @cached_property
    def placed(self) -> list[Place]:
        """Where deployments stand in the chart."""
        rows = next((rows for kind, _title, rows in self.tables if kind == "deployment"), [])
        return places([named.row for named in rows])

    def headline(self) -> str:
        """Which deployment is the cheapest of those that meet the target, or why none is named."""
        if not self.tables:
            return _("No ratings in the last 8 weeks.")
        if not self.placed:
            return _("No deployment has %(n)s ratings and a known cost.") % {"n": ENOUGH}
        passing = [place for place in self.placed if place.low >= PASS]
        if not passing:
            return _("No deployment meets the %(target)s target with its whole interval.") % {"target": percent(PASS)}
        if len(passing) > 1 and not self.is_alike:
            text = _("%(n)s deployments meet the %(target)s target. Choose a task to compare what its answers cost.")
            return text % {"n": count(len(passing)), "target": percent(PASS)}
        text = ngettext(
            "%(name)s is the only deployment that meets the %(target)s target.",
            "%(name)s has the cheapest accepted answers of %(n)s deployments that meet the %(target)s target.",
            len(passing),
        )
        return text % {"name": self.name_of(passing[0]), "n": count(len(passing)), "target": percent(PASS)}

    @cached_property
    def is_alike(self) -> bool:
        """Whether all deployments in the chart served one and the same task, so that their costs can be compared."""
        return len(self.board.tasks({place.key for place in self.placed})) == 1

    def name_of(self, place: Place) -> str:
        return self.names.get("deployment", {}).get(place.key, place.key)

    @property
    def chart(self) -> dict[str, Any]:
        """Quality against cost: each deployment with the interval of its share; of one task, the Pareto front."""
        series: list[dict[str, Any]] = [
            # The share itself is last: the table under the chart lists it.
            {"name": self.name_of(place), "style": "us" if place.key in self.own else number % 6 + 1,
             "points": [(place.cost * 10, value) for value in (place.low, place.high, place.share)]}
            for number, place in enumerate(self.placed)
        ]  # fmt: skip
        front = frontier(self.placed) if self.is_alike else []
        if len(front) > 1:
            points = [(place.cost * 10, place.share) for place in front]
            series.append({"name": _("No cheaper one is better"), "style": "plan", "points": points})
        marks = [
            {"kind": "dot", "x": place.cost * 10, "y": place.share, "label": self.name_of(place)}
            for place in self.placed
        ]
        return {
            "series": series, "marks": marks, "unit": "percent", "x_from": 0, "y_to": 1.0, "tails": False,
            "limits": [{"y": PASS, "name": _("target %(share)s") % {"share": percent(PASS)}}],
            "x_name": _("USD per 10,000 accepted answers"), "label": _("Acceptable share by cost of accepted answers"),
        }  # fmt: skip

    @cached_property
    def compared(self) -> ComparisonsPage:
        """Deployments side by side on the same prompts."""
        return ComparisonsPage(self.board.side_by_side, NO_AGREEMENT, [])
