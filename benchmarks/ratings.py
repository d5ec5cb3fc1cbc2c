"""Rating an answer to the next one, the scoreboard and the agreement of raters, over few and over a million ratings."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import orjson

from benchmarks.figures import Figure
from benchmarks.ingest import post
from benchmarks.otlp import cpu_of_web
from benchmarks.pages import USER, VISITS, percentile, settle, signed_in, slowest
from benchmarks.rows import batches
from benchmarks.stack import Stack, running

FEW, MANY = 10_000, 1_000_000
DAYS = 900  # over which they lie: 100,000 of the million are of the last 90 days
RATE = "/quality/rate/"
# Half of the answers are rated twice; a tenth of the ratings are by our own people.
FILL = """
INSERT INTO traffic_rating (day, request_id, response_id, rater_id, rater_kind, by, stars, comment, created_at,
                            application_id, model, task)
SELECT (now() - make_interval(days => (n / 2 %% %(days)s)::int))::date, md5((n / 2)::text)::uuid, '',
       CASE WHEN n %% 10 = 0 THEN %(person)s::int END, CASE WHEN n %% 10 = 0 THEN 'person' ELSE 'application' END,
       CASE WHEN n %% 10 = 0 THEN 'bench' ELSE 'user-' || n %% 997 END, 1 + (n / 2 + n %% 3) %% 5, '',
       now() - make_interval(days => (n / 2 %% %(days)s)::int), %(application)s, 'model-' || n / 2 %% 5,
       (ARRAY['rag', 'qa', 'code', 'chat'])[1 + n / 2 %% 4]
FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1) AS n
"""


def measure() -> list[Figure]:
    with running() as stack:
        stack.python(USER)
        key = stack.manage("create_key", "ingest", "--application", "bench")
        stack.python("from traffic.models import Application; Application.objects.update(capture_bodies=True)")
        answers(stack, key)
        stack.python(f"from benchmarks.ratings import fill; fill(0, {FEW})")
        few = visited(stack)
        stack.python(f"from benchmarks.ratings import fill; fill({FEW}, {MANY})")
        settle(stack)
        agreed, stored = json.loads(stack.python("from benchmarks.ratings import tasks; tasks()").splitlines()[-1])
        many = visited(stack)
    names = (
        "rate to the next answer",
        "rate to the next answer of a queue",
        "rate and load the answer after the next, as a browser does",
        "scoreboard",
    )
    targets = ("<= 100 ms", "<= 100 ms", "<= 100 ms", "<= 50 ms")
    return [
        *(
            Figure(
                f"{name}, {measured} over 1M ratings",
                value[n],
                "ms",
                reference[n],
                "over 10,000",
                target if not n else "",
            )
            for name, value, reference, target in zip(names, many, few, targets, strict=True)
            for n, measured in enumerate(("p95", "processor of the web process"))
        ),
        Figure("agreement over 100,000 ratings, as a task", agreed, "s", target="<= 2 s"),
        Figure("all scoreboards over 1M ratings, as a task", stored, "s"),
    ]


def answers(stack: Stack, key: str) -> None:
    """Two thousand stored answers of the last ten days."""
    since = datetime.now(UTC) - timedelta(days=10)
    rows = batches(2, 1_000, seed=1, since=since, span=timedelta(days=9))
    texts = [
        [row | {"prompt": "Why is the sky blue?", "answer": "**Light** scatters."} for row in part] for part in rows
    ]
    post(stack.ready["url"], key, [orjson.dumps({"requests": part}) for part in texts])


def fill(first: int, last: int) -> None:
    """Ratings of answers that are not stored any more, and a queue of those that are."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.utils import timezone

    from traffic.models import Application, RatingQueue
    from traffic.queues.services import fill as draw

    values = {"person": User.objects.get().pk, "application": Application.objects.get(slug="bench").pk, "days": DAYS}
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(FILL, values | {"first": first, "last": last})
    draw(RatingQueue.objects.create(name="Bench", question="Is it right?", size=1_000), timezone.now())


def tasks() -> None:
    """Prints the seconds of adding up and reading the agreement over 90 days, and of storing all scoreboards."""
    from traffic.models import RatingDay
    from traffic.quality.scoreboard import period_of, store_large
    from traffic.quality.shared_answers import add_up, shared
    from traffic.usage.filters import Filters

    add_up()
    period = period_of(90)
    RatingDay.objects.filter(day__gte=period.first_day).update(agreement_due=True)
    started = time.perf_counter()
    add_up()
    assert shared(period, Filters()).agreed, "half of the answers are rated twice"
    agreed = time.perf_counter() - started
    store_large()
    print(json.dumps([agreed, time.perf_counter() - started - agreed]))  # noqa: T201  # the bench reads it


Times = tuple[float, float]  # milliseconds: the wall's at p95, and the web process's processor at the mean


def visited(stack: Stack) -> tuple[Times, Times, Times, Times]:
    """A rating with the answer after it, without and with a queue, as a page and ahead, and the scoreboard."""
    with signed_in(stack) as client:
        queue = re.search(r"queue=(\d+)", client.get("/quality/queues/").text)
        assert queue is not None, "a queue was drawn"
        client.get("/quality/")
        return (
            timed(stack, lambda: rated(client, RATE)),
            timed(stack, lambda: rated(client, f"{RATE}?queue={queue[1]}")),
            timed(stack, lambda: rated_ahead(client, queue[1])),
            timed(stack, lambda: slowest(client, "/quality/")),
        )


def timed(stack: Stack, measured: Callable[[], float]) -> Times:
    before = cpu_of_web(stack)
    return measured(), (cpu_of_web(stack) - before) * 1000 / VISITS


def rated(client: httpx.Client, address: str) -> float:
    """The whole page of the next answer, as without JavaScript."""
    page, times = client.get(address).text, []
    for _ in range(VISITS):
        started = time.perf_counter()
        page = sent(client, fields(page))
        times.append((time.perf_counter() - started) * 1000)
    return percentile(times)


def rated_ahead(client: httpx.Client, queue: str) -> float:
    """With the next answer loaded ahead: the rating is sent while it is on screen, and the one after it is loaded."""
    shown = fields(client.get(RATE, params={"queue": queue}).text)
    ahead, times = fields(loaded_ahead(client, queue, shown)), []
    for _ in range(VISITS):
        started = time.perf_counter()
        sent(client, shown | {"ahead": ahead["request"]})
        shown, ahead = ahead, fields(loaded_ahead(client, queue, ahead))
        times.append((time.perf_counter() - started) * 1000)
    return percentile(times)


def loaded_ahead(client: httpx.Client, queue: str, shown: dict[str, str]) -> str:
    answer = client.get(RATE, params={"queue": queue, "ahead": "1", "after": shown["request"]})
    assert answer.status_code == 200, answer.status_code
    return answer.text


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def sent(client: httpx.Client, form: dict[str, str]) -> str:
    """The page that follows a rating."""
    answer = client.post(RATE, data=form | {"stars": "4"}, headers={"referer": str(client.base_url)})
    answer.raise_for_status()
    return answer.text
