"""Sets of judged answers: kept from ratings, pairs or a file, read back as JSON lines, and held against a trial."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import IO, Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from lib import sql
from lib.dates import DAY, midnight
from providers.models import Deployment
from traffic.comparisons.queue import of_applications
from traffic.models import AnswerSet, Pair, PairOutcome, Request, SetItem, Trial, TrialCall
from traffic.quality.queries import ACCEPTABLE_SQL
from traffic.request_ids import day_of, first_id
from traffic.trials.prompts import (
    MOST_PROMPTS,
    MOST_TEXT,
    MOST_TOTAL,
    Prompt,
    PromptFile,
    Unfit,
    checked,
    lines_of,
    object_of,
)

DAYS = 90  # of the ratings and pairs that a set is kept from
MOST_FILE = 64 << 20  # bytes
Verdict = Literal["worse", "better", "same", "open"]


@dataclass
class Draft:
    """The items of a new version, what of its file was no item, and how many prompts a set has no room for."""

    items: list[SetItem] = field(default_factory=list)
    file: PromptFile = field(default_factory=PromptFile)
    left_out: int = 0


def visible(within: Collection[int]) -> Q:
    """Items that people of these applications may read: those of a file are everybody's who may see sets."""
    return Q(application=None) | Q(application__in=within)


def latest_sets() -> list[AnswerSet]:
    """The newest hundred versions, each with `n`, its number of items."""
    return list(AnswerSet.objects.select_related("by").annotate(n=Count("items"))[:100])


def sets_before(before: int | None, size: int, name: str | None) -> list[AnswerSet]:
    """Versions, the newest first, each with `n`, its number of items: of a name, or of all."""
    rows = AnswerSet.objects.select_related("by").annotate(n=Count("items")).order_by("-pk")
    rows = rows.filter(name=name) if name is not None else rows
    return list((rows.filter(pk__lt=before) if before else rows)[:size])


def set_or_404(pk: int) -> AnswerSet:
    return get_object_or_404(AnswerSet.objects.select_related("by").annotate(n=Count("items")), pk=pk)


def items_of(answer_set: AnswerSet, within: Collection[int]) -> QuerySet[SetItem]:
    return answer_set.items.filter(visible(within)).select_related("deployment").order_by("number")


def prompts_of(answer_set: AnswerSet, within: Collection[int]) -> list[Prompt]:
    """The prompts of a set for a trial. Without a baseline the stored answers are paired with the candidate's."""
    return [
        Prompt(item.prompt, item.task, item.application_id, item.deployment_id, item.request_id, item.own_machines,
               set_item=item.pk, source=item.prompt_request)
        for item in items_of(answer_set, within)
    ]  # fmt: skip


# --- kept from what people judged ---

FITS = "length(b.prompt) BETWEEN 1 AND %(longest)s AND length(b.answer) BETWEEN 1 AND %(longest)s"


def bounded(texts: str) -> str:
    """A SELECT of `texts` (with `b` and a random `place`): the first of each prompt, as much as a worker holds.

    Each row begins with how many prompts there are in all.
    """
    return f"""
SELECT prompts, t.* FROM (
    SELECT u.*, count(*) OVER () AS prompts,
        sum(length(u.prompt) + length(u.answer)) OVER (ORDER BY u.place ROWS UNBOUNDED PRECEDING) AS total
    FROM (SELECT DISTINCT ON (md5(b.prompt)) {texts} ORDER BY md5(b.prompt), place) AS u
) AS t WHERE t.total <= %(total)s ORDER BY t.place LIMIT %(most)s
"""


RATED = bounded(f"""
    md5(q.id::text) AS place, b.prompt, b.answer, q.task, q.application_id, q.deployment_id, q.id,
    j.good * 2 >= j.n AS acceptable, q.provider = 'self' AND q.raw->>'private' IS DISTINCT FROM 'false' AS own_machines
FROM (
    SELECT r.day, r.request_id, count(*) AS n, count(*) FILTER (WHERE {ACCEPTABLE_SQL}) AS good
    FROM traffic_rating AS r WHERE r.day >= %(first)s AND r.day < %(end)s AND r.request_id IS NOT NULL
        AND r.task = %(task)s AND r.application_id = ANY(%(applications)s) GROUP BY 1, 2
) AS j
JOIN traffic_request AS q ON q.day = j.day AND q.id = j.request_id
JOIN traffic_request_body AS b ON b.day = j.day AND b.request_id = j.request_id
JOIN traffic_application AS a ON a.id = q.application_id
WHERE q.day >= %(first)s AND q.day < %(end)s AND b.day >= %(first)s AND b.day < %(end)s AND a.capture_bodies
    AND a.made_for <> 'trials' AND q.raw->>'private' IS DISTINCT FROM 'true' AND {FITS}
""")
WON = bounded(f"""
    md5(b.request_id::text) AS place, b.prompt, b.answer, b.request_id
FROM traffic_request_body AS b WHERE b.day = ANY(%(days)s) AND b.request_id = ANY(%(requests)s) AND {FITS}
""")


def read(statement: str, values: dict[str, Any]) -> tuple[list[tuple[Any, ...]], int]:
    """The rows of a bounded statement from their prompts on, and how many prompts it leaves out."""
    bounds = {"longest": MOST_TEXT, "most": MOST_PROMPTS, "total": MOST_TOTAL}
    rows = sql.rows(statement, values | bounds)
    return [row[2:-2] for row in rows], rows[0][0] - len(rows) if rows else 0


def rated_answers(task: str, today: date, within: Collection[int]) -> Draft:
    """A random sample of the rated answers of a task of the last 90 days whose texts are stored, of these applications.

    Of several answers to the same prompt it has one.
    """
    values = {"task": task, "first": today - timedelta(days=DAYS), "end": today + DAY, "applications": list(within)}
    names = ("prompt", "answer", "task", "application_id", "deployment_id", "request_id", "acceptable", "own_machines")
    rows, left_out = read(RATED, values)
    items = [SetItem(**dict(zip(names, row, strict=True))) for row in rows]
    for item in items:
        item.prompt_request = item.request_id
    return Draft(items, left_out=left_out)


def better_answers(task: str, today: date, within: list[int]) -> Draft:
    """The answers that won their pairs of a task in the last 90 days, whose texts are stored; of the newest pairs."""
    won = Pair.objects.filter(
        of_applications(within), task=task, outcome__in=(PairOutcome.CANDIDATE, PairOutcome.BASELINE),
        answers_deleted=False, created_at__date__gte=today - timedelta(days=DAYS),
    )  # fmt: skip
    newest = list(won.select_related("candidate", "baseline").order_by("-pk")[:MOST_PROMPTS])
    sides = {request for pair in newest for request in (pair.candidate_request, pair.baseline_request)}
    sources = sources_of(sides)
    winners: dict[UUID, tuple[Pair, UUID]] = {}
    for pair in newest:
        winner, loser = pair.candidate_request, pair.baseline_request
        if pair.outcome == PairOutcome.BASELINE:
            winner, loser = loser, winner
        winners[winner] = pair, sources.get(winner) or sources.get(loser) or loser
    requests = sides | set(sources.values())
    private = set(Request.objects.filter(
        day__in={day_of(request) for request in requests}, id__in=requests, raw__private=True
    ).values_list("id", flat=True))  # fmt: skip
    readable = [
        winner for winner, (pair, source) in winners.items()
        if private.isdisjoint((pair.candidate_request, pair.baseline_request, source))
    ]  # fmt: skip
    rows, left_out = read(WON, {"days": list({day_of(request) for request in readable}), "requests": readable})
    items = []
    for prompt, answer, request in rows:
        pair, source = winners[request]
        items.append(SetItem(
            prompt=prompt, answer=answer, task=pair.task, request_id=request, prompt_request=source, acceptable=True,
            deployment=pair.candidate if pair.outcome == PairOutcome.CANDIDATE else pair.baseline,
            application_id=pair.prompt_application_id or pair.application_id,
            # A prompt that a vendor has answered was not private.
            own_machines={pair.candidate.provider, pair.baseline.provider} == {"self"},
        ))  # fmt: skip
    return Draft(items, left_out=left_out + won.count() - len(newest))


def sources_of(requests: Collection[UUID]) -> dict[UUID, UUID]:
    """Of calls of trials the request whose stored prompt they sent again."""
    source = Coalesce("prompt__prompt_request", "prompt__answered_request")
    calls = TrialCall.objects.filter(request_id__in=requests).values_list("request_id", source)
    return {call: request for call, request in calls if call is not None and request is not None}


# --- JSON lines, in and out ---


def read_file(file: IO[bytes]) -> Draft:
    """The items of a file of JSON lines as `lines` writes them; a line that is no item is named and left out."""
    draft, total, deployments = Draft(), 0, known_deployments()
    for number, line in enumerate(lines_of(file), 1):
        if line is not None and not line.strip():
            continue
        if len(draft.items) == MOST_PROMPTS or draft.file.rejected == MOST_PROMPTS or total > MOST_TOTAL:
            text = _("The file is not read from this line on. Items used: %(n)s.")
            draft.file.stop(number, text % {"n": f"{len(draft.items):,}"})
            break
        try:
            draft.items.append(item_from(object_of(line), deployments))
            total += len(draft.items[-1].prompt) + len(draft.items[-1].answer)
        except Unfit as error:
            draft.file.reject(number, str(error))
    return draft


def known_deployments() -> dict[str, Deployment]:
    """All of them by slug."""
    return Deployment.objects.in_bulk(field_name="slug")


def item_from(value: Mapping[str, Any], deployments: Mapping[str, Deployment]) -> SetItem:
    """The item of an object; a deployment that is not in `deployments` is left out. Raises Unfit."""
    prompt = checked(value.get("prompt"), value.get("task"))
    answer, acceptable = value.get("answer", ""), value.get("acceptable")
    if not isinstance(answer, str) or len(answer) > MOST_TEXT:
        raise Unfit(_("“answer” must be a text of at most 64,000 characters."))
    if acceptable is not None and not isinstance(acceptable, bool):
        raise Unfit(_("“acceptable” must be true, false or null."))
    if answer:
        answer = checked(answer).text
    deployment = deployments.get(str(value.get("deployment")))
    return SetItem(prompt=prompt.text, task=prompt.task, answer=answer, acceptable=acceptable, deployment=deployment)


def lines(items: Iterable[SetItem], trial: Trial | None = None) -> Iterator[bytes]:
    """One JSON object for each item, with its change in a trial of the set."""
    for row in outcomes(trial, items):
        item = row.item
        value: dict[str, Any] = {"prompt": item.prompt, "task": item.task, "answer": item.answer,
                                 "acceptable": item.acceptable,
                                 "deployment": item.deployment.slug if item.deployment else None}  # fmt: skip
        if trial is not None:
            value |= {"trial": trial.pk, "request_id": row.request_id and str(row.request_id), "ratings": row.ratings,
                      "acceptable_ratings": row.good, "change": row.verdict}  # fmt: skip
        yield json.dumps(value, ensure_ascii=False).encode() + b"\n"


# --- made ---


@transaction.atomic
def keep(*, name: str, draft: Draft, by: Any) -> AnswerSet:
    """A new version of the set of this name; at least one item."""
    sql.rows("SELECT pg_advisory_xact_lock(7203043)")  # two people may keep the same name at once
    last = AnswerSet.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
    made = AnswerSet.objects.create(
        name=name, version=last + 1, by=by, rejected=draft.file.rejected, rejected_lines=draft.file.rejected_lines
    )
    for number, item in enumerate(draft.items, 1):
        item.answer_set, item.number = made, number
    SetItem.objects.bulk_create(draft.items, batch_size=500)
    return made


def remove(answer_set: AnswerSet) -> None:
    """Delete a version with its copies of texts."""
    AnswerSet.objects.filter(pk=answer_set.pk).delete()


# Plain SQL, as a deletion runs in a transaction of psycopg's own. Prompts of trials that were sent from them stay.
ERASE = """
WITH gone AS (DELETE FROM traffic_setitem WHERE {} RETURNING id)
UPDATE traffic_trialprompt AS p SET set_item_id = NULL FROM gone WHERE p.set_item_id = gone.id RETURNING 1
"""
COPIES = ERASE.format("request_id = ANY(%(ids)s) OR prompt_request = ANY(%(ids)s) OR application_id = %(application)s")
PAST = ERASE.format("""application_id IS NOT NULL AND (
    least(request_id, prompt_request) < %s OR answer_set_id IN (SELECT id FROM traffic_answerset WHERE created_at < %s)
)""")


def erase_items(*, requests: Sequence[UUID] = (), application: int | None = None) -> None:
    """Delete the items that are copies of these requests' texts or of an application's, as these are deleted."""
    sql.rows(COPIES, {"ids": list(requests), "application": application})


def forget_items(before: date) -> None:
    """Copies of stored texts go with the bodies of these days; items of a file stay."""
    sql.rows(PAST, [first_id(before), midnight(before)])


# --- held against a trial ---


@dataclass(frozen=True, slots=True)
class Outcome:
    """One item beside the candidate's answer to its prompt; `good` of `ratings` found that acceptable."""

    item: SetItem
    request_id: Any = None
    ratings: int = 0
    good: int = 0
    chosen: str = ""  # of their pair, blank without a choice

    @property
    def verdict(self) -> Verdict:
        """The raters' choice between both answers decides, else what each of them was rated."""
        if self.chosen:
            sides: dict[str, Verdict] = {PairOutcome.BASELINE: "worse", PairOutcome.CANDIDATE: "better"}
            return sides.get(self.chosen, "same")
        if not self.ratings or self.item.acceptable is None:
            return "open"
        now = self.good * 2 >= self.ratings
        if now == self.item.acceptable:
            return "same"
        return "better" if now else "worse"


OUTCOMES = f"""
SELECT p.set_item_id, c.request_id, coalesce(j.n, 0), coalesce(j.good, 0), coalesce(v.outcome, '')
FROM traffic_trialprompt AS p
LEFT JOIN LATERAL (
    SELECT c.request_id FROM traffic_trialcall AS c JOIN traffic_trialstep AS s ON s.id = c.step_id
    WHERE c.prompt_id = p.id AND s.deployment_id = %(candidate)s AND c.state = 'ok' AND c.request_id IS NOT NULL
    ORDER BY c.id LIMIT 1
) AS c ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS n, count(*) FILTER (WHERE {ACCEPTABLE_SQL}) AS good FROM traffic_rating AS r
    WHERE r.request_id = c.request_id
) AS j ON true
LEFT JOIN traffic_pair AS v ON v.trial_id = p.trial_id AND v.candidate_request = c.request_id AND %(paired)s
WHERE p.trial_id = %(trial)s AND p.set_item_id IS NOT NULL
"""


def trials_of(answer_set: AnswerSet, pk: int | None = None) -> list[Trial]:
    """The newest twenty trials with prompts of this set, or the one with this key."""
    rows = Trial.objects.filter(prompts__set_item__answer_set=answer_set).distinct().select_related("candidate")
    return list(rows[:20] if pk is None else rows.filter(pk=pk))


def outcomes(trial: Trial | None, items: Iterable[SetItem]) -> list[Outcome]:
    """Item by item, in their order. A pair counts where its other side is the stored answer, not a baseline's."""
    if trial is None:
        return [Outcome(item) for item in items]
    values = {"trial": trial.pk, "candidate": trial.candidate_id, "paired": trial.baseline_id is None}
    by_item = {row[0]: row[1:] for row in sql.rows(OUTCOMES, values)}
    return [Outcome(item, *by_item.get(item.pk, ())) for item in items]
