"""What the Overview says of each verdict, on plain figures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from costs.breakeven.band import Band, Spread
from costs.plan.month import Month
from costs.readiness import criteria
from costs.readiness.evidence import Evidence, TaskQuality, Thresholds
from costs.readiness.page import CriterionRow, DecidePage
from costs.readiness.scorecard import go, judge
from costs.verdicts.verdict import State
from dashboard.overview.money import Money
from dashboard.overview.page import alerts_headline, headline, next_polls
from dashboard.overview.selfhost import SelfHosting
from dashboard.overview.speed import Speed, Speeds
from dashboard.overview.up import Row, Serving, Slow
from dashboard.overview.worth import TaskRow, Worth
from lib.confidence_intervals import Interval, points_apart
from providers.models import Account, Deployment, Feed
from providers.uptime.page import DeploymentNow, Record, UptimeSummary
from tests.dashboard.overview_rows import money

pytestmark = pytest.mark.usefixtures("stopped_clock")

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


def plain(html: str) -> str:
    """As it is read, without tags and with plain spaces."""
    return re.sub(r"<[^>]+>", "", html).replace("\N{NARROW NO-BREAK SPACE}", " ").replace("&lt;", "<")


@pytest.mark.parametrize(
    ("month", "headline", "state"),
    [
        (money(401, (401, 420, 440)), "November over budget ($401.00 of $400)", State.NOT_MET),
        (money(300, (401, 410, 440)), "November heading over $400 (forecast $410)", State.NOT_MET),
        (money(300, (380, 395, 410)), "November close to $400 (forecast $395)", State.TOO_CLOSE),
        (money(200, (350, 360, 370)), "November within budget ($360 of $400)", State.MET),
        (money(200, None), "November $200.00 of $400 so far", State.NOT_ENOUGH),
        (money(200, (350, 360, 370), None), "November $200.00 without a budget", State.NOT_ENOUGH),
    ],
)
def test_the_month_is_told_by_its_verdict(month: Money, headline: str, state: State) -> None:
    assert (plain(month.headline()), month.verdict.state) == (headline, state)


EVEN = "$200.00 is spent in November. An even pace would be $200."


@pytest.mark.parametrize(
    ("month", "answer"),
    [
        (money(200, (350, 360, 370)), f"{EVEN} Forecast: $360, limit $400."),
        (
            replace(money(300, (380, 410, 440)), runs_out_on=date(2026, 11, 28)),
            "$300.00 is spent in November, $100 ahead of an even pace. Forecast: $410, limit $400. "
            "The budget lasts until 28 Nov.",
        ),
        (money(200, (350, 360, 370), None), "$200.00 is spent in November. Forecast: $360."),
        (
            money(200, None),
            f"{EVEN} It is too early to forecast the month. It needs 1 more day of data.",
        ),
    ],
)
def test_the_month_is_held_against_an_even_pace_and_its_end(month: Money, answer: str) -> None:
    assert plain(month.answer()) == answer


def test_a_month_with_unpriced_requests_is_at_least_and_without_a_forecast_says_why() -> None:
    month = money(200, None)
    unknown: Month = replace(month.month, unpriced_requests=3, reason="Two days are too few.")
    assert plain(replace(month, month=unknown).answer()) == (
        f"At least {EVEN} It is too early to forecast the month. It needs 1 more day of data."
    )


def test_the_phase_is_named_with_its_budget_and_how_far_it_has_come() -> None:
    month = money(200, None)
    assert plain(month.phase_sentence()) == "Phase P, budget $300 to $400 a month, month 1."
    assert plain(replace(month, phase_months=3).phase_sentence()).endswith("a month, month 1 of 3.")
    assert plain(replace(month, phase_month=None).phase_sentence()).endswith("$400 a month.")
    assert money(200, None, None).phase_sentence() == "No phase is planned for today."


def test_the_chart_of_the_month_tells_where_it_ends() -> None:
    assert plain(money(200, None).pace_headline()) == "November has cost $200.00 so far"
    assert plain(money(200, (350, 360, 370)).pace_headline()) == "November forecast: $360, $40 under the limit"
    past = replace(money(300, (380, 410, 440)), runs_out_on=date(2026, 11, 28))
    assert plain(past.pace_headline()) == "November forecast: $410, over $400 on 28 Nov"
    no_plan = money(200, (350, 360, 370), None)
    assert plain(no_plan.pace_headline()) == "November forecast: $360, no budget planned"


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
    return Serving(answer, [], record, None, late, 0, 0, None)


@pytest.mark.parametrize(
    ("up", "state", "headline", "sentence"),
    [
        (serving(), State.NOT_ENOUGH, "nothing checked", "No deployment is set up, so nothing is checked."),
        (serving("down", "up"), State.NOT_MET, "D0 down", "D0 went down 3 min ago. 1 of 2 are up."),
        (
            serving("down", "down", "down"),
            State.NOT_MET,
            "3 deployments down",
            "D0 went down 3 min ago. D1 went down 3 min ago. 0 of 3 are up.",
        ),
        (serving("unknown"), State.NOT_ENOUGH, "uptime unknown", "No check has run lately. The last ran now."),
        (serving("up", checked=False), State.NOT_ENOUGH, "uptime unknown", "No check has run lately."),
        (
            serving("up", "starting"),
            State.NOT_ENOUGH,
            "nothing down",
            "No deployment is down, 1 of 2 are up, 1 is starting.",
        ),
        (
            serving("up", "stopped", "unknown"),
            State.NOT_ENOUGH,
            "uptime unknown",
            "No deployment is down, 1 of 3 are up, 1 is on a stopped GPU, 1 is unknown.",
        ),
        (
            serving("up", slow=True),
            State.MET,
            "everything up",
            "The one deployment is up. D0 is slow: first token 900 ms at p95, limit 0.5 s.",
        ),
        (
            serving("up"),
            State.MET,
            "everything up",
            "The one deployment is up. The slowest check took 40 ms, of D0.",
        ),
        (
            serving("up", "up"),
            State.MET,
            "everything up",
            "All 2 deployments are up. The slowest check took 40 ms, of D0.",
        ),
    ],
)
def test_uptime_is_told_by_its_verdict(up: Serving, state: State, headline: str, sentence: str) -> None:
    assert up.verdict.state == state
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
    assert serving("up", record=single).outages_sentence() == "1 outage in 30 days, at D0, took 1 h."
    several = replace(single, outages=[broken, broken])
    sentence = serving("up", record=several).outages_sentence()
    assert sentence == "2 outages in 30 days took 1 h, the longest at D0."


def test_uptime_that_nobody_measured_has_no_figure() -> None:
    row = Row(now_of("D0", "up"), [], None)
    assert plain(row.uptime_text()) == "no figure"
    up = serving("up")
    assert plain(up.worst_uptime()) == plain(up.checks_mark()) == "–"
    measured = replace(up, worst=0.995, every_s=30)
    assert (plain(measured.worst_uptime()), plain(measured.checks_mark())) == ("99.50 %", "checks every 30 s")


def worth(*tasks: tuple[str, int, int], own: bool = True, gap: Interval | None = None) -> Worth:
    rows = [TaskRow(task, 1000, *rated) for task, *rated in tasks]
    ours = tuple(TaskQuality(row.task, row.requests, row.ratings, row.acceptable) for row in rows) if own else ()
    return Worth(own, rows, criteria.quality(Evidence(tasks=ours), Thresholds()), gap)


READY = Evidence(
    tasks=(TaskQuality("rag", 1000, 100, 90),),
    first_token_p95_ms=Decimal(310), first_token_sample=4200,
    first_token_interval=Interval(Decimal(300), Decimal(320)),
    uptime=Decimal("0.9987"), observed_seconds=30 * 86_400, checks=86_400,
    uptime_interval=Interval(Decimal("0.998"), Decimal("0.999")),
)  # fmt: skip

GOOD, OPEN = ("rag", 100, 90), ("chat", 32, 20)


NEEDED = "have acceptable answers, target 70 %."


@pytest.mark.parametrize(
    ("answers", "state", "headline", "sentence"),
    [
        (worth(), State.NOT_ENOUGH, "quality unknown", "No ratings in 30 days."),
        (
            worth(("rag", 5, 5)),
            State.NOT_ENOUGH,
            "quality unknown",
            "100 % of rated self-hosted answers are acceptable. No task has 30 ratings yet, so quality is not known. "
            "About 25 more ratings of RAG.",
        ),
        (
            worth(GOOD, own=False),
            State.NOT_ENOUGH,
            "quality unknown",
            "90 % of the API’s rated answers are acceptable. No self-hosted answers are rated.",
        ),
        (
            worth(GOOD, ("qa", 100, 90)),
            State.MET,
            "answers acceptable",
            f"90 % of rated self-hosted answers are acceptable. Tasks with 100 % of all requests {NEEDED}",
        ),
        (
            worth(GOOD, OPEN),
            State.TOO_CLOSE,
            "quality undecided",
            "83 % of rated self-hosted answers are acceptable. "
            f"Tasks with 50 %–100 % of all requests {NEEDED} About 111 more ratings of chat.",
        ),
        (
            worth(("chat", 32, 12)),
            State.NOT_MET,
            "answers not acceptable",
            f"38 % of rated self-hosted answers are acceptable. Tasks with 0 % of all requests {NEEDED}",
        ),
    ],
)
def test_quality_is_told_by_its_verdict(answers: Worth, state: State, headline: str, sentence: str) -> None:
    assert answers.verdict.state == state
    assert plain(answers.headline()) == headline
    assert plain(answers.answer()) == sentence


def test_ours_are_compared_with_the_apis_where_both_are_rated() -> None:
    gap = Interval(Decimal("-0.3"), Decimal("-0.1"))
    worse = worth(GOOD, gap=gap)
    assert plain(worse.headline()) == "self-hosted answers worse"
    assert plain(worse.comparison()) == (
        "On the same tasks, self-hosted answers are rated 10 to 30 percentage points worse than the API’s."
    )
    assert "cannot be compared" in worth(GOOD).comparison() and worth(GOOD, own=False).comparison() == ""
    assert (plain(worth().ratings_mark()), plain(worth(GOOD).ratings_mark())) == ("–", "100 ratings, 30 d")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ("-0.154", "-0.029", "2.9 to 15 percentage points worse"),
        ("-0.03", "0.02", "between 3 percentage points worse and 2 better"),
        ("0.004", "0.1", "0.4 to 10 percentage points better"),
        ("-0.2", "0", "between 20 percentage points worse and 0 better"),
    ],
)
def test_a_difference_of_shares_is_in_percentage_points_on_every_page(low: str, high: str, words: str) -> None:
    gap = Interval(Decimal(low), Decimal(high))
    decide: Any = DecidePage(SimpleNamespace(evidence=Evidence(quality_gap=gap)), judge(Evidence()), NOW)  # type: ignore[arg-type]
    assert points_apart(gap) == decide.gap_words() == words
    assert (
        worth(GOOD, gap=gap).comparison() == f"On the same tasks, self-hosted answers are rated {words} than the API’s."
    )


def test_the_quality_of_all_requests_is_the_same_interval_in_the_sentence_and_on_the_pages() -> None:
    """The contract's value is of rated tasks; sentence and pages show the interval of all requests, cut."""
    tasks = (TaskQuality("rag", 6995, 100, 90), TaskQuality("qa", 3005, 0, 0))
    verdict = criteria.quality(Evidence(tasks=tasks), Thresholds())
    assert (verdict.value, verdict.state) == (Decimal(1), State.NOT_ENOUGH)
    assert verdict.sentence == f"Tasks with 69.9 %–100 % of all requests {NEEDED}"
    assert CriterionRow(verdict).value() == "69.9 %–100 %"
    card: Any = SimpleNamespace(criteria=(verdict,))
    decide: Any = DecidePage(SimpleNamespace(evidence=Evidence()), card, NOW)  # type: ignore[arg-type]
    assert replace(worth(GOOD), verdict=verdict).span() == decide.quality_span() == "69.9 %–100 %"
    assert worth().span() == worth(GOOD, own=False).span() == ""


def own(
    volume: int,
    saving: int,
    ends: tuple[int, int] | None = None,
    crossing: int | None = None,
    needed_at: int | None = None,
    seen: Evidence = READY,
    **more: Any,
) -> SelfHosting:
    """`ends` is the saving's interval; everything else that go or no-go asks for is as in `seen`."""
    crossings = [SimpleNamespace(side_to="selfhost", requests_per_month=crossing)] if crossing else []
    inputs: Any = SimpleNamespace(requests_per_month=volume)
    cheaper: Any = "selfhost" if saving > 0 else "api"
    result: Any = SimpleNamespace(cheaper=cheaper, saving=Decimal(saving), crossings=crossings)
    evidence = replace(
        seen, saving_monthly=Decimal(saving) if volume else None, requests_per_month=volume, cheaper=cheaper,
        saving_interval=Interval(Decimal(ends[0]), Decimal(ends[1])) if ends else None, crossing=crossing,
        volume_for_saving=needed_at, traffic_days=30 if ends else 3,
    )  # fmt: skip
    card = judge(evidence)
    values: dict[str, Any] = {"worse": False, "needed": Decimal(100), "needed_at": needed_at}
    return SelfHosting(inputs, result, go(card), card.criteria[2], **values | more)


AT = "At 6,000 requests a month"
CROSSES = "Self-hosting is cheaper above about 5,000 requests a month."
SURE = "it is not certain whether self-hosting is cheaper:"


@pytest.mark.parametrize(
    ("hosting", "state", "headline", "sentence", "goal"),
    [
        (
            own(0, 0),
            State.NOT_ENOUGH,
            "self-hosting not judged",
            "Without traffic nothing is measured. The curve below is an example.",
            "",
        ),
        (
            own(6000, 150, None, 5000, 5500),
            State.NOT_ENOUGH,
            "self-hosting undecided",
            "Required: 7 days with traffic and known cost. 4 more days of traffic.",
            f"{CROSSES} It saves $100 at about 5,500 requests.",
        ),
        (
            own(1000, -50, (-60, -40), 5000, 9000),
            State.NOT_MET,
            "self-hosting more expensive",
            "At 1,000 requests a month self-hosting costs about $50 ($40 to $60) more.",
            f"{CROSSES} It saves $100 at about 9,000 requests.",
        ),
        (
            own(1000, -50, (-60, -40)),
            State.NOT_MET,
            "self-hosting more expensive",
            "At 1,000 requests a month self-hosting costs about $50 ($40 to $60) more.",
            "The curves do not cross at any volume.",
        ),
        (
            own(6000, 201, (-74, 534), 5000, 9000),
            State.TOO_CLOSE,
            "self-hosting undecided",
            f"{AT} {SURE} about $201 (−$74 to +$534). "
            "Traffic and its cost differ so much from day to day that more days do not decide.",
            f"{CROSSES} It saves $100 at about 9,000 requests.",
        ),
        (
            own(6000, 50, (10, 90), 5000, 9000),
            State.NOT_MET,
            "self-hosting not justified",
            f"{AT} self-hosting saves about $50 ($10 to $90). Required: more than $100.",
            f"{CROSSES} It saves $100 at about 9,000 requests.",
        ),
        (
            own(6000, 150, (120, 180), 5000),
            State.MET,
            "self-hosting cheaper",
            f"{AT} self-hosting saves about $150 ($120 to $180). Required: more than $100.",
            "Self-hosting is cheaper above about 5,000 requests a month.",
        ),
    ],
)
def test_self_hosting_is_told_by_its_verdict(
    hosting: SelfHosting, state: State, headline: str, sentence: str, goal: str
) -> None:
    assert hosting.verdict.state == state
    assert plain(hosting.headline()) == headline
    assert plain(hosting.answer()) == sentence
    assert plain(hosting.goal()) == goal


def test_worse_answers_are_not_called_cheaper() -> None:
    assert plain(own(6000, 150, (120, 180), worse=True).headline()) == "self-hosting ruled out"
    assert "so they are not called cheaper" in own(6000, 150, (120, 180), worse=True).answer()
    assert plain(own(6000, -50, (-60, -40), worse=True).headline()) == "self-hosting ruled out"
    assert plain(own(6000, 20, (-60, 90), worse=True).headline()) == "self-hosting ruled out"


def test_self_hosting_is_called_cheaper_only_where_the_whole_interval_is_a_saving() -> None:
    """With an exception self-hosting can be justified at any saving."""
    private = replace(READY, private=True)
    assert plain(own(6000, 150, (120, 180), seen=private).headline()) == "self-hosting cheaper"
    assert plain(own(6000, 20, (-60, 90), seen=private).headline()) == "self-hosting justified"
    assert plain(own(6000, -50, (-60, -40), seen=private).headline()) == "self-hosting more expensive"


def rated(answers: Worth) -> Evidence:
    """What go or no-go has seen where these are the answers."""
    rows = answers.rows if answers.own else []
    return replace(READY, tasks=tuple(TaskQuality(row.task, row.requests, row.ratings, row.acceptable) for row in rows))


MONTHS = [
    money(401, (401, 420, 440)), money(300, (401, 410, 440)), money(300, (380, 395, 410)), money(200, (350, 360, 370)),
    money(200, None), money(200, (350, 360, 370), None), money(200, None, None),
]  # fmt: skip


def renamed(name: str) -> Serving:
    up = serving("down")
    up.summary.down[0].deployment.name = name
    return up


UPS = [
    serving(), serving("unknown"), serving("up"), serving("up", "up"), serving("down"), serving("down", "up"),
    serving("down", "down", "up"), renamed("Website chat on a very small GPU"),
]  # fmt: skip
SURELY_WORSE = Interval(Decimal("-0.3"), Decimal("-0.1"))
RATED = [worth(GOOD), worth(OPEN), worth(("chat", 32, 12)), worth(), worth(GOOD, own=False)]
SAVINGS: list[tuple[int, int, tuple[int, int] | None, int | None]] = [
    (0, 0, None, None), (6000, 150, None, None), (6000, 150, (120, 180), 5000), (6000, 150, (-74, 534), 5000),
    (6000, 50, (10, 90), 5000), (6000, -50, (-60, -40), None),
]  # fmt: skip
# In pairs, because what is found of quality limits what can be found of self-hosting.
ANSWERS_AND_HOSTING = [
    *[(answers, own(*values, None, replace(rated(answers), private=private))) for answers in RATED
      for values in SAVINGS for private in (False, True)],
    *[(worth(GOOD, gap=SURELY_WORSE), own(*values, worse=True)) for values in SAVINGS],
]  # fmt: skip


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("up", UPS)
def test_the_heading_has_all_four_answers_in_at_most_15_words(month: Money, up: Serving) -> None:
    facts: Any = SimpleNamespace(empty=False)
    for answers, hosting in ANSWERS_AND_HOSTING:
        text = plain(headline(facts, month, up, answers, hosting))
        assert text.count(", ") >= 3 and len(text.split()) <= 15, text


def test_the_heading_without_data_has_at_most_15_words() -> None:
    nothing: Any = None
    empty: Any = SimpleNamespace(empty=True)
    text = headline(empty, nothing, nothing, nothing, nothing)
    assert len(text.split()) <= 15


def test_the_curve_tells_how_far_the_crossing_is() -> None:
    assert own(1000, -50).curve_headline() == "Self-hosting is not cheaper at any volume"
    assert own(1000, 50).curve_headline() == "Self-hosting is cheaper at every volume"
    assert own(6000, 50, None, 5000).curve_headline() == "About 1,000 requests a month past break-even"
    assert own(1000, -50, None, 5000).curve_headline() == "About 4,000 requests a month short of break-even"


def band_of(low: int | None, high: int | None) -> Band:
    return Band(Spread(Decimal("0.2"), Decimal("0.1"), 30), 120_000, 150_000, low, high, Decimal(-125), Decimal(322))


@pytest.mark.parametrize(
    ("volume", "low", "high", "within", "heading"),
    [
        (
            134_720,
            64_518,
            241_766,
            "64,500 to 242,000",
            "Too close to call: the run rate lies within the break-even’s ",
        ),
        (134_720, 64_518, None, "64,500 or more", "Too close to call: the run rate lies "),
        (134_720, 200_123, 241_766, "200,000 to 242,000", "About 81,700 requests a month short of break-even"),
        (300_000, 64_518, 241_766, "64,500 to 242,000", "About 83,600 requests a month past break-even"),
    ],
)
def test_the_crossing_is_told_with_its_interval_on_overview_and_decide(
    volume: int, low: int, high: int | None, within: str, heading: str
) -> None:
    band = band_of(low, high)
    hosting = own(volume, -96, (-125, 322), 216_400, 301_525, band=band)
    assert plain(hosting.goal()) == (
        f"Self-hosting is cheaper above about 216,000 ({within}) requests a month. "
        "It saves $100 at about 302,000 requests."
    )
    assert hosting.curve_headline().startswith(heading)
    report: Any = SimpleNamespace(evidence=Evidence(crossing=216_400, band=band))
    decide = DecidePage(report, judge(Evidence()), NOW)
    assert plain(decide.pays_from()) == f"about 216,000 ({within})"


def test_a_crossing_that_only_the_best_case_has_is_no_flat_claim() -> None:
    hosting = own(134_720, -96, (-125, 322), band=band_of(64_518, None))
    assert plain(hosting.goal()) == (
        "At best, self-hosting is cheaper above about 64,500 requests a month. At worst, it never is."
    )
    assert hosting.curve_headline().startswith("Too close to call")
    never = own(134_720, -96, (-125, -22), band=band_of(None, None))
    assert never.curve_headline() == "Self-hosting is not cheaper at any volume"


def test_a_crossing_after_the_first_has_no_interval() -> None:
    """The interval is of the first crossing."""
    assert own(500_000, 96, (25, 322), 400_000, band=band_of(64_518, 241_766)).goal().endswith("requests a month.")


def speed(name: str, first_token: float | None = None, usual: float | None = None) -> Speed:
    return Speed(name, 40, first_token, usual)


def test_the_fastest_and_the_slowest_first_token_are_named() -> None:
    fast, slow = speed("Fast", 200.0), speed("Slow", 800.0, 700.0)
    assert (
        Speeds([replace(fast, requests=0)]).sentence()
        == "In the newest hour, Fast’s first token came within 200 ms (p95)."
    )
    assert Speeds([fast, slow]).sentence() == (
        "In the newest hour, first tokens came within 200 ms from Fast and within 800 ms from Slow (p95)."
    )
    tripled = speed("Late", 900.0, 250.0)
    assert Speeds([fast, tripled]).sentence() == "Late’s first token takes 900 ms, usually 250 ms."
    unstreamed = speed("Batch")
    assert Speeds([unstreamed]).sentence() == "No streamed requests in 24 hours, so no time to first token."
    assert Speeds([replace(unstreamed, requests=0)]).sentence() == "No requests in 24 hours, so no latency."


def test_alerts_are_counted_in_words() -> None:
    assert alerts_headline(0) == "No unassigned alerts"
    assert alerts_headline(1) == "1 unassigned alert"
    assert alerts_headline(12) == "12 unassigned alerts"


def test_a_name_with_markup_is_escaped_in_every_sentence() -> None:
    up = serving("down")
    up.summary.down[0].deployment.name = "<img src=x>"
    assert "<img" not in up.headline() + up.answer()


def test_an_overdue_poll_is_next_now() -> None:
    now = datetime.now(UTC)
    feed = Feed(account=Account(name="RunPod"), kind="leases", due_at=now - timedelta(minutes=5))
    assert plain(next_polls([feed], now)) == "RunPod leases now"
