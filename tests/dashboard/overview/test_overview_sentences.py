"""What the Overview says of each verdict, on plain figures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from costs.plan.month import Month
from costs.readiness.scorecard import Criterion
from dashboard.overview.money import Money
from dashboard.overview.page import alerts_headline
from dashboard.overview.selfhost import SelfHosting
from dashboard.overview.speed import Speed, Speeds
from dashboard.overview.up import Row, Serving, Slow
from dashboard.overview.worth import TaskRow, Worth
from lib.confidence_intervals import Interval
from providers.models import Deployment
from providers.uptime.page import DeploymentNow, Record, UptimeSummary
from tests.dashboard.overview_rows import money

pytestmark = pytest.mark.usefixtures("stopped_clock")

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


def plain(html: str) -> str:
    """As it is read, without tags and with plain spaces."""
    return re.sub(r"<[^>]+>", "", html).replace("\N{NARROW NO-BREAK SPACE}", " ").replace("&lt;", "<")


@pytest.mark.parametrize(
    ("month", "headline", "mark"),
    [
        (money(401, (401, 420, 440)), "November is over its budget, $401.00 of $400", "Over"),
        (money(300, (380, 410, 440)), "November is heading over budget, to $410 of $400", "Heading over"),
        (money(300, (380, 395, 410)), "November is tight but inside budget, $395 of $400", "Tight"),
        (money(200, (350, 360, 370)), "November stays inside budget, $360 of $400", "Inside"),
        (money(200, None), "November has cost $200.00 of $400", "Too early"),
        (money(200, (350, 360, 370), None), "November has cost $200.00 without a plan", "No plan"),
    ],
)
def test_the_month_is_told_by_its_verdict(month: Money, headline: str, mark: str) -> None:
    assert (plain(month.headline()), plain(month.state_mark())) == (headline, mark)


EVEN = "$200.00 is spent in November; an even pace would be at $200."


@pytest.mark.parametrize(
    ("month", "answer"),
    [
        (money(200, (350, 360, 370)), f"{EVEN} It should end at $360, limit $400."),
        (
            replace(money(300, (380, 410, 440)), runs_out_on=date(2026, 11, 28)),
            "$300.00 is spent in November, $100 ahead of an even pace. It should end at $410, limit $400. "
            "The money lasts until 28 Nov.",
        ),
        (money(200, (350, 360, 370), None), "$200.00 is spent in November. It should end at $360."),
        (money(200, None), EVEN),
    ],
)
def test_the_month_is_held_against_an_even_pace_and_its_end(month: Money, answer: str) -> None:
    assert plain(month.answer()) == answer


def test_a_month_with_unpriced_requests_is_at_least_and_without_a_forecast_says_why() -> None:
    month = money(200, None)
    unknown: Month = replace(month.month, unpriced_requests=3, reason="Two days are too few.")
    assert plain(replace(month, month=unknown).answer()) == f"At least {EVEN} Two days are too few."


def test_the_phase_is_named_with_its_budget_and_how_far_it_has_come() -> None:
    month = money(200, None)
    assert plain(month.phase_sentence()) == "Phase P, budget $300 to $400 a month, month 1."
    assert plain(replace(month, phase_months=3).phase_sentence()).endswith("a month, month 1 of 3.")
    assert plain(replace(month, phase_month=None).phase_sentence()).endswith("$400 a month.")
    assert money(200, None, None).phase_sentence() == "No phase is planned for today."


def test_the_chart_of_the_month_tells_where_it_ends() -> None:
    assert money(200, None).pace_headline() == "November has cost $200.00 so far"
    assert money(200, (350, 360, 370)).pace_headline() == "November should end at $360, $40 under the limit"
    past = replace(money(300, (380, 410, 440)), runs_out_on=date(2026, 11, 28))
    assert plain(past.pace_headline()) == "November should end at $410 and pass $400 on 28 Nov"
    no_plan = money(200, (350, 360, 370), None)
    assert no_plan.pace_headline() == "November should come to $360; no budget is planned for it"


def now_of(name: str, state: str) -> DeploymentNow:
    made = Deployment(
        name=name, slug=name.lower(), state=state, state_since=NOW - timedelta(minutes=3), last_latency_ms=40.0
    )
    return DeploymentNow(made, state)


def serving(*states: str, checked: bool = True, slow: bool = False, record: Record | None = None) -> Serving:
    entries = [now_of(f"D{n}", state) for n, state in enumerate(states)]
    by_state = {state: [entry for entry in entries if entry.state == state] for state in states}
    answer = UptimeSummary(len(entries), by_state, entries[0] if entries else None, NOW if checked else None)
    record = record or Record(30, [], timedelta(), None, None, None, None)
    late = Slow("D0", 900.0, NOW) if slow else None
    return Serving(answer, [], record, record, [], late, 0, 0, None)


@pytest.mark.parametrize(
    ("up", "mark", "headline", "sentence"),
    [
        (serving(), "Not watched", "nothing is watched yet", "No deployment is set up, so nothing is checked."),
        (serving("down", "up"), "Down", "D0 is down", "D0 went down 3 min ago. 1 of 2 answer."),
        (
            serving("down", "down", "down"),
            "Down",
            "3 of 3 deployments are down",
            "D0 went down 3 min ago. D1 went down 3 min ago. 0 of 3 answer.",
        ),
        (serving("unknown"), "Unknown", "whether anything is up is unknown", "The last check ran now."),
        (
            serving("up", checked=False),
            "Unknown",
            "whether anything is up is unknown",
            "Nothing has been checked yet.",
        ),
        (
            serving("up", "starting"),
            "Partly",
            "1 of 2 deployments are up",
            "1 of 2 deployments answer; of the others nothing certain is known, or they are starting.",
        ),
        (
            serving("up", slow=True),
            "Up, slow",
            "the one deployment is up but slow",
            "Yes. The one serving deployment answers. D0 is slow: first token 900 ms at p95, limit 0.5 s.",
        ),
        (
            serving("up", "up", slow=True),
            "Up, slow",
            "all 2 deployments are up but D0 is slow",
            "Yes. All 2 serving deployments answer. D0 is slow: first token 900 ms at p95, limit 0.5 s.",
        ),
        (
            serving("up"),
            "Up",
            "the one deployment is up",
            "Yes. The one serving deployment answers. The slowest check, D0’s, took 40 ms.",
        ),
        (
            serving("up", "up"),
            "Up",
            "all 2 deployments are up",
            "Yes. All 2 serving deployments answer. The slowest check, D0’s, took 40 ms.",
        ),
    ],
)
def test_uptime_is_told_by_its_verdict(up: Serving, mark: str, headline: str, sentence: str) -> None:
    assert plain(up.state_mark()) == mark
    assert plain(up.headline()) == headline
    assert plain(up.answer()) == sentence


def test_the_outages_of_a_month_are_counted_and_the_longest_is_named() -> None:
    broken: Any = SimpleNamespace(name="D0")
    hour = timedelta(hours=1)
    assert serving("up").outages_sentence() == ""
    assert (
        serving("up", record=Record(30, [], hour, None, None, None, 1.0)).outages_sentence() == "No outage in 30 days."
    )
    single = Record(30, [broken], hour, broken, None, None, 0.9)
    assert serving("up", record=single).outages_sentence() == "In 30 days one outage of 1 h: D0’s."
    several = replace(single, outages=[broken, broken])
    sentence = serving("up", record=several).outages_sentence()
    assert sentence == "In 30 days 2 outages took 1 h; the longest was D0’s."


def test_uptime_that_nobody_measured_has_no_figure() -> None:
    row = Row(now_of("D0", "up"), [], None, None, timedelta())
    assert (plain(row.uptime_text()), plain(row.uptime_short_text())) == ("no figure", "no figure")
    assert row.lost_text() == "not checked"
    assert replace(row, uptime=1.0).lost_text() == "nothing lost"
    assert replace(row, uptime=0.9, lost=timedelta(minutes=2)).lost_text() == "2 min lost"
    up = serving("up")
    assert plain(up.worst_uptime()) == plain(up.checks_mark()) == "–"
    measured = replace(up, rows=[row, replace(row, uptime_short=0.995)], every_s=30)
    assert (plain(measured.worst_uptime()), plain(measured.checks_mark())) == ("99.50 %", "checks every 30 s")


def worth(*tasks: tuple[str, int, int], own: bool = True, gap: Interval | None = None, others: int = 0) -> Worth:
    criterion = Criterion("quality", None, None, Decimal("0.7"), None, 0, "")
    return Worth(own, [TaskRow(task, 1000, *rated) for task, *rated in tasks], criterion, gap, (others, others))


GOOD, BAD = ("rag", 100, 90), ("chat", 32, 17)


@pytest.mark.parametrize(
    ("answers", "mark", "headline", "sentence"),
    [
        (
            worth(),
            "Not rated",
            "no answer has been rated",
            "Nobody has rated an answer in 30 days, so it is not known.",
        ),
        (
            worth(("rag", 5, 5)),
            "Too few",
            "too few answers are rated to judge them",
            "100 % of our own models’ answers are acceptable. No task has the 30 ratings that a judgement needs.",
        ),
        (
            worth(GOOD, own=False),
            "Yes",
            "answers are good enough (90 %)",
            "90 % of the API’s answers are acceptable; our own are not rated. The one task with enough ratings passes.",
        ),
        (
            worth(GOOD, ("qa", 100, 90), others=10),
            "Yes",
            "answers are good enough (90 %)",
            "90 % of our own models’ answers are acceptable, 100 % of the API’s on the same tasks. "
            "All 2 tasks with enough ratings pass.",
        ),
        (
            worth(GOOD, BAD),
            "Yes, not all",
            "answers are good enough (81 %) but not for chat",
            "81 % of our own models’ answers are acceptable. chat is not certain: 53 %.",
        ),
        (
            worth(BAD),
            "No",
            "answers are not good enough (53 % acceptable)",
            "53 % of our own models’ answers are acceptable. chat is not certain: 53 %.",
        ),
    ],
)
def test_quality_is_told_by_its_verdict(answers: Worth, mark: str, headline: str, sentence: str) -> None:
    assert plain(answers.state_mark()) == mark
    assert plain(answers.headline()) == headline
    assert plain(answers.answer()) == sentence


def test_ours_are_compared_with_the_apis_where_both_are_rated() -> None:
    gap = Interval(Decimal("-0.3"), Decimal("-0.1"))
    worse = worth(GOOD, gap=gap)
    assert plain(worse.headline()) == "our own answers are worse than the API’s"
    assert plain(worse.comparison()) == "Task by task ours are rated −30 % to −10 % against the API’s."
    assert "cannot be compared" in worth(GOOD).comparison() and worth(GOOD, own=False).comparison() == ""
    assert (plain(worth().ratings_mark()), plain(worth(GOOD).ratings_mark())) == ("–", "100 ratings, 30 d")


def own(
    volume: int, saving: int, crossing: int | None = None, needed_at: int | None = None, **more: Any
) -> SelfHosting:
    crossings = [SimpleNamespace(side_to="selfhost", requests_per_month=crossing)] if crossing else []
    cheaper = "selfhost" if saving > 0 else "api"
    inputs: Any = SimpleNamespace(requests_per_month=volume)
    result: Any = SimpleNamespace(cheaper=cheaper, saving=Decimal(saving), crossings=crossings)
    values: dict[str, Any] = {"worse": False, "needed": Decimal(100), "needed_at": needed_at}
    return SelfHosting(inputs, result, **values | more)


@pytest.mark.parametrize(
    ("hosting", "mark", "headline", "sentence", "goal"),
    [
        (
            own(0, 0),
            "No traffic",
            "and without traffic nothing can be said about self-hosting",
            "Without traffic nothing is measured; the curve below is the research’s example.",
            "",
        ),
        (
            own(1000, -50, 5000, 9000),
            "Not now",
            "and self-hosting does not pay at 1,000 requests a month; it would from 5,000",
            "No. At 1,000 requests a month our own GPUs would cost $50 more; they pay from 5,000.",
            "Go or no-go asks for $100 a month; that comes at 9,000 requests.",
        ),
        (
            own(1000, -50),
            "Not now",
            "and self-hosting pays at no volume",
            "No. At 1,000 requests a month our own GPUs would cost $50 more, and they pay at no volume.",
            "Go or no-go asks for $100 a month, which no volume brings.",
        ),
        (
            own(6000, 50, 5000, worse=True),
            "Cheaper, worse",
            "and our own GPU would save $50 a month but answers worse",
            "Our own GPU would save $50 a month, but its answers are rated significantly worse.",
            "",
        ),
        (
            own(6000, 50, 5000, 9000),
            "Pays, barely",
            "and our own GPU saves $50 a month at 6,000 requests",
            "Yes, by a little: our own GPU pays from 5,000 requests a month and we have 6,000. It saves $50 a month.",
            "Go or no-go asks for $100 a month; that comes at 9,000 requests.",
        ),
        (
            own(6000, 150),
            "Pays",
            "and our own GPU saves $150 a month at 6,000 requests",
            "Yes: our own GPU pays at every volume. It saves $150 a month.",
            "Go or no-go asks for more than $100 a month.",
        ),
    ],
)
def test_self_hosting_is_told_by_its_verdict(
    hosting: SelfHosting, mark: str, headline: str, sentence: str, goal: str
) -> None:
    assert plain(hosting.state_mark()) == mark
    assert plain(hosting.headline()) == headline
    assert plain(hosting.answer()) == sentence
    assert plain(hosting.goal()) == goal


def test_the_curve_tells_how_far_the_crossing_is() -> None:
    assert own(1000, -50).curve_headline() == "At no volume do our own GPUs cost less"
    assert own(1000, 50).curve_headline() == "Our own GPUs cost less at every volume"
    assert own(6000, 50, 5000).curve_headline() == "We are 1,000 requests a month past break-even"
    assert own(1000, -50, 5000).curve_headline() == "We are 4,000 requests a month short of break-even"


def speed(name: str, first_token: float | None = None, usual: float | None = None, whole: float | None = None) -> Speed:
    return Speed(Deployment(name=name), 40, first_token, usual, whole, {"series": []})


def test_the_fastest_and_the_slowest_first_token_are_named() -> None:
    fast, slow = speed("Fast", 200.0), speed("Slow", 800.0, 700.0)
    assert Speeds([replace(fast, requests=0)]).headline() == "Fast’s first token comes within 200 ms"
    assert Speeds([fast, slow]).headline() == "First tokens come within 200 ms from Fast and within 800 ms from Slow"
    tripled = speed("Late", 900.0, 250.0)
    assert Speeds([fast, tripled]).headline() == "Late’s first token takes 900 ms, usually 250 ms"
    unstreamed = speed("Batch", whole=900.0)
    assert Speeds([unstreamed]).headline() == "Nothing was streamed in 24 hours, so no first token was timed"
    assert Speeds([replace(unstreamed, requests=0)]).headline() == "No requests in 24 hours, so no latency"


def test_a_deployments_latency_is_told_with_what_is_usual() -> None:
    assert speed("D", 200.0, 150.0).latency_sentence() == "First token now 200 ms, usual 150 ms. 40 requests."
    assert speed("D", 200.0).latency_sentence() == "First token now 200 ms. 40 requests."
    assert speed("D", whole=900.0).latency_sentence() == "Whole answer now 900 ms. 40 requests."
    assert speed("D").latency_sentence() == "40 requests."


def test_alerts_are_counted_in_words() -> None:
    assert alerts_headline(0) == "Nothing needs anyone now"
    assert alerts_headline(1) == "One thing needs someone now"
    assert alerts_headline(12) == "12 things need someone now"


def test_a_name_with_markup_is_escaped_in_every_sentence() -> None:
    up = serving("down")
    up.summary.down[0].deployment.name = "<img src=x>"
    assert "<img" not in up.headline() + up.answer()
