"""How far raters agree on answers that several of them rated, kept added up by day.

Triggers say of which day, application, deployment, model and task the ratings changed. A task adds those up again, and
who reads before it has run adds up what is due for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from django.db import connection, transaction

from lib import sql
from lib.periods import Period
from traffic.models import RatingDay
from traffic.quality.agreement import FEWEST_UNITS, Agreement, Bias, alpha_of_sums, rater_bias
from traffic.quality.queries import ACCEPTABLE_SQL
from traffic.quality.scores import condition
from traffic.usage.filters import Filters

STARS = range(1, 6)
UNLIKE = tuple(combinations(STARS, 2))
KINDS = ("deployment", "model", "task", "")
AT_ONCE = 10  # days of one transaction, in which raters of these days wait
READ_DUE = 500  # rows that are due and that a reader adds up, the newest days first; of more the old sums are read

# Two applications may call their users alike.
RATER = """r.rater_kind || ' ' || CASE WHEN r.rater_kind = 'application' THEN coalesce(r.application_id::text, '')
    ELSE '' END || ' ' || r.by"""
COUNTED = ", ".join(f"count(*) FILTER (WHERE stars = {value}) AS n{value}" for value in STARS)
# The answers, how often each number of stars was given, and the coincidences of each two unlike ones.
SUMS = [
    "count(*)",
    *(f"sum(n{value})" for value in STARS),
    *(f"sum(n{low} * n{high} / (n - 1)::float8)" for low, high in UNLIKE),
]
# From rows of `due`: what `agreed`, `raters` and `biases` of each are. A rater of ours is called so after `person  `.
ADD_UP = f"""
judged AS MATERIALIZED (
    SELECT d.id, r.request_id, r.stars, {RATER} AS rater, r.rater_kind = 'person' AS ours,
        count(*) OVER answer AS n, sum(r.stars) OVER answer AS total
    FROM due AS d JOIN traffic_rating AS r ON r.day = d.day AND coalesce(r.application_id, 0) = d.application_id
        AND coalesce(r.deployment_id, 0) = d.deployment_id AND r.model = d.model AND r.task = d.task
    WHERE r.day = ANY(ARRAY(SELECT day FROM due)) AND r.stars IS NOT NULL AND r.request_id IS NOT NULL
        AND NOT r.gold
    WINDOW answer AS (PARTITION BY d.id, r.request_id)
), sums AS (
    SELECT id, ARRAY[{", ".join(SUMS)}]::float8[] AS agreed
    FROM (SELECT id, n, {COUNTED} FROM judged WHERE n > 1 GROUP BY id, request_id, n) AS answers GROUP BY id
), several AS (
    SELECT id, rater, ours, count(*) AS n, sum(stars - (total - stars) / (n - 1)::float8) AS apart,
        sum((stars - (total - stars) / (n - 1)::float8) ^ 2) AS squares
    FROM judged WHERE n > 1 GROUP BY id, rater, ours
), who AS (
    SELECT id, array_agg(hashtextextended(rater, 0)) AS raters,
        coalesce(jsonb_object_agg(substr(rater, 9), jsonb_build_array(n, apart, squares)) FILTER (WHERE ours),
            '{{}}') AS biases
    FROM several GROUP BY id
), added AS (
    SELECT d.*, coalesce(s.agreed, '{{}}') AS agreed, coalesce(w.raters, '{{}}') AS raters,
        coalesce(w.biases, '{{}}') AS biases
    FROM due AS d LEFT JOIN sums AS s USING (id) LEFT JOIN who AS w USING (id)
)
"""
KEY = "r.id, r.day, r.application_id, r.deployment_id, r.model, r.task"
STORE = f"""
WITH due AS MATERIALIZED (SELECT {KEY} FROM traffic_rating_day AS r WHERE r.id = ANY(%(ids)s)), {ADD_UP}
UPDATE traffic_rating_day AS d SET agreement_due = false, agreed = a.agreed, raters = a.raters, biases = a.biases
FROM added AS a WHERE a.id = d.id
"""
# Raters are counted by kind of group, which is named by the bits of the columns that it leaves out.
READ = f"""
WITH asked AS MATERIALIZED (
    SELECT {KEY}, e.slug, r.agreement_due AND (r.starred > 1 OR r.agreed <> '{{}}') AS is_due,
        r.agreed, r.raters, r.biases
    FROM traffic_rating_day AS r LEFT JOIN providers_deployment AS e ON e.id = r.deployment_id
    WHERE r.day >= %(first)s AND r.day < %(end)s AND (r.agreement_due OR r.agreed <> '{{}}') $filters
), due AS MATERIALIZED (
    SELECT {KEY}, r.slug FROM asked AS r WHERE is_due ORDER BY day DESC, id LIMIT %(most)s
), {ADD_UP}, every AS MATERIALIZED (
    SELECT slug, model, task, agreed, raters, biases FROM added
    UNION ALL SELECT slug, model, task, agreed, raters, biases FROM asked WHERE id NOT IN (SELECT id FROM due)
)
SELECT 'sums', slug, model, task, ARRAY[{", ".join(f"sum(agreed[{n}])" for n in range(1, len(SUMS) + 1))}]
FROM every WHERE agreed <> '{{}}' GROUP BY 2, 3, 4
UNION ALL
SELECT 'raters', slug, model, task, ARRAY[kind, count(*)]::float8[] FROM (
    SELECT slug, model, task, GROUPING(slug, model, task) AS kind FROM every, unnest(raters) AS rater
    GROUP BY GROUPING SETS ((slug, rater), (model, rater), (task, rater), (rater))
) AS of_rater GROUP BY kind, slug, model, task
UNION ALL
SELECT 'bias', '', name, '', ARRAY[sum((bias->>0)::float8), sum((bias->>1)::float8), sum((bias->>2)::float8)]
FROM every, jsonb_each(biases) AS of_rater(name, bias) GROUP BY name
"""
LEFT_OUT = {0b011: 0, 0b101: 1, 0b110: 2, 0b111: 3}  # the place of the kind by the bits


@dataclass(frozen=True, slots=True)
class Shared:
    """What raters gave to answers that several of them rated: how far they agree, and each of our people's bias.

    Agreement is by kind of group and key; "" is the kind of all answers. Bias is by people who rated at least
    `FEWEST_UNITS` such answers, the largest first, by what their ratings hold (`number_of_person`).
    """

    agreed: dict[str, dict[str | None, Agreement]]
    biases: Sequence[tuple[str, Bias]]


def add_up() -> int:
    """Add up what is due, the newest days first; returns of how many days."""
    due = RatingDay.objects.filter(agreement_due=True).order_by("-day")
    days = list(due.values_list("day", flat=True).distinct())
    for first in range(0, len(days), AT_ONCE):
        _add_up(days[first : first + AT_ONCE])
    return len(days)


@transaction.atomic
def _add_up(days: Sequence[date]) -> None:
    """Rows are locked before their ratings are read, so that a rating which comes meanwhile makes its row due again."""
    rows = RatingDay.objects.filter(agreement_due=True, day__in=days).select_for_update(skip_locked=True)
    with connection.cursor() as cursor:
        cursor.execute(STORE, {"ids": list(rows.values_list("pk", flat=True))})


def shared(period: Period, filters: Filters) -> Shared:
    """How far raters agree on the stars of answers that several of them rated (ordinal alpha). One statement.

    The provider of an answer is that of its deployment.
    """
    where, values = condition(filters)
    values |= {"first": period.first_day, "end": period.end_day, "most": READ_DUE}
    sums: dict[tuple[str, str | None], list[float]] = defaultdict(lambda: [0.0] * len(SUMS))
    raters: dict[tuple[str, str | None], int] = {}
    biases: list[tuple[str, Bias | None]] = []
    for column, *key, figures in sql.rows(READ.replace("$filters", where), values):
        if column == "sums":
            for kind, name in zip(KINDS, (*key, ""), strict=True):
                sums[kind, name] = [a + b for a, b in zip(sums[kind, name], figures, strict=True)]
        elif column == "raters":
            place = LEFT_OUT[int(figures[0])]
            raters[KINDS[place], (*key, "")[place]] = int(figures[1])
        elif figures[0] >= FEWEST_UNITS:
            biases.append((key[1], rater_bias(int(figures[0]), *figures[1:])))
    agreed: dict[str, dict[str | None, Agreement]] = {kind: {} for kind in KINDS}
    for (kind, name), of_group in sums.items():
        agreed[kind][name] = agreement_of(of_group, raters[kind, name])
    with_bias = [(name, bias) for name, bias in biases if bias is not None]
    return Shared(agreed, sorted(with_bias, key=lambda row: -abs(row[1].middle)))


RIGHT = f"""
SELECT r.by, count(*) FILTER (WHERE {ACCEPTABLE_SQL} = (g.score > 0)), count(*)
FROM traffic_rating AS r JOIN traffic_rating AS g ON g.request_id = r.request_id AND g.rater_kind = 'gold'
LEFT JOIN providers_deployment AS e ON e.id = r.deployment_id
WHERE r.gold AND r.day >= %(first)s AND r.day < %(end)s AND r.rater_kind = 'person' AND r.by <> g.by $filters GROUP BY 1
"""


def gold_right(period: Period, filters: Filters) -> dict[str, tuple[int, int]]:
    """By rater, how many gold answers they judged rightly and how many they judged; who decided of one is not held to
    it."""
    where, values = condition(filters)
    rows = sql.rows(RIGHT.replace("$filters", where), values | {"first": period.first_day, "end": period.end_day})
    return {rater: (right, judged) for rater, right, judged in rows}


def agreement_of(sums: Sequence[float], raters: int) -> Agreement:
    """Agreement by what `SUMS` are."""
    answers, times, unlike = sums[0], sums[1 : 1 + len(STARS)], sums[1 + len(STARS) :]
    totals = {value: total for value, total in zip(STARS, times, strict=True) if total}
    observed = {pair: 2 * weight for pair, weight in zip(UNLIKE, unlike, strict=True) if weight}  # in either order
    return Agreement(alpha_of_sums(totals, observed, "ordinal"), "ordinal", raters, round(answers))
