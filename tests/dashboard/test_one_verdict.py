"""One question has one answer: pages, digest, alert, API and signed record are compared at one moment."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client

from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.digests.content import digest
from alerts.digests.periods import Period
from alerts.evaluation.services import evaluate
from alerts.mail.alert_mail import bodies
from alerts.mail.readers import Reader
from alerts.models import Alert, Delivery, Rule, Transition
from costs import savings
from costs.models import Budget
from costs.readiness.evidence import ACCEPTED, Thresholds
from costs.readiness.verdicts import verdicts
from costs.verdicts.amounts import about
from costs.verdicts.verdict import State, Verdict, as_json
from dashboard.page_audit.compare import collect, mails
from dashboard.page_audit.marks import marked
from lib.confidence_intervals import wilson
from providers.models import CheckHour, Deployment, Outage
from tests.alerts.conditions import findings
from tests.costs.conftest import ready
from tests.costs.people import client_of, text
from tests.costs.readiness_rows import rated
from tests.costs.usage_rows import usage
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    DeploymentFactory,
    LeaseFactory,
    LeaseSpanFactory,
    PairFactory,
    PhaseFactory,
)
from traffic.comparisons.page import ComparisonsPage
from traffic.comparisons.queries import results as results_of_pairs
from traffic.models import Pair, Rating, UsageDay, UsageHour
from traffic.quality.agreement import Agreement
from traffic.quality.page import share_words
from traffic.quality.queries import COMPARED_DAYS, ENOUGH, PASS

__all__ = ["ready"]  # a fixture

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

NO_AGREEMENT = Agreement(None, "nominal", 0, 0)
PAGES = ("/", "/spend/", "/plan/", "/break-even/", "/decide/")


def unsteady() -> None:
    """A request is eighty times as dear on every other day, and the volume is near the crossing."""
    UsageHour.objects.update(requests=F("requests") / 4, uncached_input=F("uncached_input") / 4, output=F("output") / 4)
    UsageDay.objects.filter(day__in=[NOW.date() - timedelta(days=n) for n in (1, 3, 5, 7, 9)]).update(cost=7200)


def few() -> None:
    UsageDay.objects.filter(day__lt=NOW.date() - timedelta(days=5)).delete()


def tiny() -> None:
    UsageHour.objects.update(requests=100, uncached_input=1, output=1)


def nothing() -> None:
    """As the fixture has it."""


SCENES: list[tuple[Callable[[], None], State]] = [
    (nothing, State.MET),
    (unsteady, State.TOO_CLOSE),
    (few, State.NOT_ENOUGH),
    (tiny, State.NOT_MET),
]


@pytest.fixture(params=SCENES, ids=lambda scene: scene[0].__name__)
def expected(request: pytest.FixtureRequest, ready: Deployment) -> State:
    """The state of the saving, once the rows are as the scene has them."""
    PhaseFactory.create(
        slug="p", name="P", budget_low=1, budget_high=50_000, volume_from=0, starts_on=date(2026, 11, 1)
    )
    change, state = request.param
    change()
    return State(state)


def states_of(client: Client, page: str) -> dict[str, set[str]]:
    """The states that a page shows of each question."""
    states: dict[str, set[str]] = {}
    for mark in marked(client.get(page).content.decode()):
        name, _period, scope = mark.meaning
        if name.startswith("verdict: ") and not scope:
            states.setdefault(name.removeprefix("verdict: "), set()).add(mark.value)
    return states


def test_every_page_and_the_api_say_the_same_state(expected: State) -> None:
    client = client_of("manager")
    now: dict[str, Verdict] = {verdict.question: verdict for verdict in verdicts(NOW)}
    assert now["saving"].state == expected
    shown = {page: states_of(client, page) for page in PAGES}
    assert all(shown.values())
    for page, states in shown.items():
        assert states == {question: {now[question].state.value} for question in states}, page
    assert {"plan", "up", "quality", "go"} <= shown["/"].keys()
    assert client.get("/api/v1/verdicts").json()["items"] == [as_json(verdict) for verdict in now.values()]
    card = client.get("/api/v1/scorecard").json()
    assert {row["slug"]: row["state"] for row in card["criteria"]} == {
        question: now[question].state.value for question in ("quality", "latency", "saving", "reliability")
    }
    assert (card["state"], card["sentence"]) == (now["go"].state.value, now["go"].sentence)


def test_the_saving_is_the_same_figure_with_the_same_interval_everywhere(expected: State) -> None:
    client = client_of("manager")
    [verdict] = [row for row in verdicts(NOW) if row.question == "saving"]
    api = client.get("/api/v1/break-even").json()
    ends = [Decimal(end) for end in api["saving_interval"]] if api["saving_interval"] else None
    assert ends == ([verdict.interval.low, verdict.interval.high] if verdict.interval else None)
    assert Decimal(api["saving"]) == verdict.value
    page = client.get("/break-even/")
    [row] = [row for row in page.context["volumes"] if row.here]
    assert (row.saving.amount, row.saving.interval) == (verdict.value, verdict.interval)
    html = page.content.decode()
    table = html[html.index('id="volumes-h"') : html.index('id="tasks-h"')]
    assert {mark.meaning[0] for mark in marked(table)} == {"saving", *(("saving-low", "saving-high") if ends else ())}
    assert [*collect((at, 200, client.get(at).content.decode()) for at in PAGES).differences()] == []
    [alert] = findings("break-even", now=NOW, days=1)
    first = text(client, "/break-even/").split('id="be-answer">')[1].split("</span>")[0]
    assert verdict.sentence in text(client, "/decide/") and verdict.sentence in text(client, "/")
    if verdict.interval is None:
        assert "not enough data" in alert.title and "not enough data" in first
        return
    words = about(verdict.value or Decimal(0), verdict.interval)
    assert words in alert.title and words in verdict.sentence
    side = {State.MET: "passed", State.NOT_MET: "Below", State.TOO_CLOSE: "too close to call"}[expected]
    assert side in alert.title and alert.crossed == (expected == State.MET)
    assert ("Too close to call" in first) == (expected == State.TOO_CLOSE)


def test_neither_the_alert_nor_the_page_calls_a_gpu_cheaper_whose_answers_are_rated_worse(ready: Deployment) -> None:
    ensure_defaults()
    rule = Rule.objects.filter(kind="break-even")
    rule.update(thresholds={"days": 1}, for_s=0)
    evaluate(now=NOW, kinds=["break-even"])
    alert = Alert.objects.get(kind="break-even")
    assert (alert.state, "saves" in alert.title) == ("open", True)
    Rating.objects.all().delete()
    rated(ready, 60, 30)
    rated(None, 60, 58, model="claude-sonnet-4-5")
    evaluate(now=NOW + timedelta(minutes=2), kinds=["break-even"])
    alert.refresh_from_db()
    assert (alert.state, "saves" in alert.title) == ("resolved", False)
    page = text(client_of("manager"), "/break-even/")
    first = page.split('id="be-answer">')[1].split("</span>")[0]
    assert "not called cheaper" in first and "Not cheaper" in alert.title
    last = Transition.objects.latest("pk")
    facts = {label: value for label, value, *_rest in last.words["facts"]}
    assert "Saving" not in facts and facts["Self-hosted answers against the API"] in page
    assert "percentage points worse" in facts["Self-hosted answers against the API"]
    reader = User.objects.create_superuser("ada", "ada@example.com")
    mail = Delivery(alert=alert, transition=last, recipient=reader.email, created_at=NOW)
    subject, body, _html = bodies(mail, Reader(reader))
    assert "Not cheaper" in subject
    assert facts["Self-hosted answers against the API"] in body
    assert "saves" not in subject + body


@pytest.mark.parametrize(
    ("wins", "ties", "losses", "verdict"),
    [
        (30, 40, 10, "better"),
        (10, 200, 9, "not_worse"),
        (5, 40, 40, "worse"),
        (3, 5, 9, "not_yet"),
        (40, 40, 5, "better"),
        (0, 0, 0, "not_yet"),
    ],
)
def test_break_even_refuses_cheaper_exactly_where_the_comparison_says_worse(
    ready: Deployment, wins: int, ties: int, losses: int, verdict: str
) -> None:
    api = DeploymentFactory.create(slug="api", name="API", provider="anthropic")
    for outcome, n in (("candidate", wins), ("tie", ties), ("baseline", losses)):
        PairFactory.create_batch(n, candidate=ready, baseline=api, outcome=outcome, votes=1)
    client = client_of("manager")
    comparison = client.get("/api/v1/comparisons?candidate=own&baseline=api").json()
    assert comparison["verdict"] == verdict == client.get("/api/v1/comparisons").json()["verdict"]
    page = text(client, "/break-even/")
    first = page.split('id="be-answer">')[1].split("</span>")[0]
    assert ("not called cheaper" in first) == (verdict == "worse")
    assert ("Not called cheaper" in page) == (verdict == "worse")
    objections = {row["slug"] for row in client.get("/api/v1/scorecard").json()["objections"]}
    assert ("quality-gap" in objections) == (verdict == "worse")
    saving = EvaluationContext(NOW).saving
    assert saving is not None and saving.worse == (verdict == "worse")
    results = text(client, "/quality/comparisons/")
    assert ("is rated worse than API." in results) == (verdict == "worse")
    decided = verdict != "not_yet"
    assert ("Quality is not significantly worse" in page) == (decided and verdict != "worse")
    if decided:  # in the same words everywhere
        [row] = ComparisonsPage(results_of_pairs(), NO_AGREEMENT, []).rows
        assert all(row.apart() in shown for shown in (page, results, text(client, "/decide/")))


def test_pairs_decide_over_ratings_of_different_prompts(ready: Deployment) -> None:
    api = DeploymentFactory.create(slug="api", name="API", provider="anthropic")
    client = client_of("manager")
    Rating.objects.all().delete()
    rated(ready, 60, 30)
    rated(None, 60, 58, model="claude-sonnet-4-5")
    PairFactory.create_batch(3, candidate=ready, baseline=api, outcome="tie", votes=1)
    assert "Not called cheaper" in text(client, "/break-even/")  # three pairs decide nothing yet
    PairFactory.create_batch(120, candidate=ready, baseline=api, outcome="tie", votes=1)
    assert "Not called cheaper" not in text(client, "/break-even/")
    Pair.objects.update(created_at=NOW - timedelta(days=COMPARED_DAYS + 1))
    assert "Not called cheaper" in text(client, "/break-even/")


def test_the_month_is_the_same_in_the_digest_and_on_the_pages(ready: Deployment) -> None:
    client = client_of("manager")
    for high, state in ((50_000, State.MET), (100, State.NOT_MET)):
        PhaseFactory._meta.model.objects.all().delete()
        PhaseFactory.create(slug="p", budget_low=1, budget_high=high, volume_from=0, starts_on=date(2026, 11, 1))
        plan: Verdict = verdicts(NOW)[0]
        written: dict[str, Any] = digest("daily", Period(NOW.date() - timedelta(days=1), NOW.date()))
        [budget] = EvaluationContext(NOW).budgets
        assert (plan.state, written["state"]) == (state, state.value)
        assert budget.verdict(NOW.date()) == plan
        assert plan.sentence in text(client, "/plan/") and plan.sentence in text(client, "/spend/")


def test_the_mails_of_open_alerts_show_the_figures_of_the_pages(ready: Deployment) -> None:
    PhaseFactory.create(slug="p", name="P", budget_low=1, budget_high=100, volume_from=0, starts_on=date(2026, 11, 1))
    budget = Budget.objects.create(
        slug="all", name="All", scope="everything", low=1, high=50, starts_on=date(2026, 11, 1)
    )
    ensure_defaults()
    Rule.objects.filter(kind="break-even").update(thresholds={"days": 1}, for_s=0)
    evaluate(now=NOW, wait=True)
    Alert.objects.filter(state="open").update(words={}, title="of another moment")
    client, reader = client_of("manager"), User.objects.create_superuser("ada", "ada@example.com")
    rendered = [(page, 200, client.get(page).content.decode()) for page in PAGES]
    figures = collect([*rendered, *mails(reader, NOW)])
    assert [*figures.differences()] == []
    of_mails = {
        meaning
        for meaning, values in figures.values.items()
        if any("(mail)" in place for places in values.values() for place in places)
    }
    shared = {
        ("spend", "2026-11", ""),
        ("budget", "2026-11", ""),
        ("spend", "2026-11", budget.slug),
        ("saving", "", ""),
    }
    assert shared <= of_mails
    for meaning in shared:
        assert len({place for places in figures.values[meaning].values() for place in places}) > 1, meaning
    assert all("of another moment" not in html for _place, _status, html in mails(reader, NOW))


def test_a_signed_record_keeps_the_states_of_its_moment(ready: Deployment) -> None:
    client = client_of("manager")
    client.post("/decide/sign/", {"choice": "go", "statement": "We move.", "seen": "go"})
    before: dict[str, str] = {verdict.question: verdict.state.value for verdict in verdicts(NOW)}
    tiny()
    assert {row.question: row.state.value for row in verdicts(NOW)}["saving"] == State.NOT_MET
    record = {
        mark.meaning[0].removeprefix("verdict: "): mark.value
        for mark in marked(client.get("/decide/records/1/").content.decode())
        if mark.meaning[2] == "decision 1" and mark.meaning[0].startswith("verdict: ")
    }
    assert record == {question: before[question] for question in record} and len(record) == 5
    assert "Current decision: GO (a-manager, " in text(client, "/decide/")


def test_the_figures_of_a_signed_record_are_marked_and_those_of_its_moment(ready: Deployment) -> None:
    client = client_of("manager")
    client.post("/decide/sign/", {"choice": "go", "statement": "We move.", "seen": "go"})
    pages = {page: client.get(page).content.decode() for page in ("/", "/decide/", "/decide/records/1/")}
    live = collect((page, 200, pages[page]) for page in ("/", "/decide/"))
    record = collect([("record", 200, pages["/decide/records/1/"])])
    assert not [*record.differences()]
    for name in ("saving", "saving-low", "saving-high", "crossing", "crossing-low", "crossing-high"):
        assert {*record.values[name, "", "decision 1"]} == {*live.values[name, "", ""]}, name
    choice = collect((page, 200, html) for page, html in pages.items()).values["decision", "", "decision 1"]
    assert choice == {"GO": ["/decide/", "/decide/records/1/"]}
    wrong = pages["/decide/records/1/"].replace('data-figure="saving-low"', 'data-figure="run-rate"', 1)
    assert [*collect([("record", 200, wrong)]).differences()], "a figure that differs is named"


def test_uptime_is_of_the_same_days_on_every_page(ready: Deployment) -> None:
    edge = NOW.replace(hour=0) - timedelta(days=30) + timedelta(hours=18)  # within 30 times 24 hours, not of 30 days
    CheckHour.objects.create(deployment=ready, hour=edge, checks=120, observed_s=3600)
    Outage.objects.create(
        deployment=ready, started_at=edge, confirmed_at=edge, ended_at=edge + timedelta(minutes=30), cause="timeout"
    )
    client = client_of("manager")
    figures = collect((at, 200, client.get(at).content.decode()) for at in ("/", "/decide/", "/uptime/"))
    assert [*figures.differences()] == []
    [(value, places)] = figures.values["uptime", "30 days", "own"].items()
    assert places == ["/", "/decide/", "/uptime/"]
    [verdict] = [row for row in verdicts(NOW) if row.question == "reliability"]
    assert verdict.value == Decimal(value)


def test_the_run_rate_of_all_applications_and_that_of_the_compared_ones_have_their_own_names(
    ready: Deployment,
) -> None:
    tests = ApplicationFactory.create(slug="tests", test_only=True)
    hour = NOW.replace(minute=0) - timedelta(hours=4)
    usage(UsageHour, hour=hour, requests=9000, application_id=tests.pk, model="claude-sonnet-4-5", uncached_input=9)
    usage(UsageHour, hour=hour, requests=30, model="unheard-of", unpriced=30, uncached_input=9)
    client = client_of("manager")
    pages = {at: client.get(at).content.decode() for at in PAGES}
    figures = collect((at, 200, html) for at, html in pages.items())
    assert [*figures.differences()] == []
    [(whole, of_whole)] = figures.values["whole-run-rate", "", ""].items()
    [(compared, of_compared)] = figures.values["run-rate", "", ""].items()
    assert {"/plan/", "/break-even/"} <= {*of_whole} and {"/", "/break-even/"} <= {*of_compared}
    assert int(whole) - int(compared) >= 9030
    shown = text(client, "/break-even/")
    assert f"{int(compared):,} requests a month compared, of {int(whole):,} in all" in shown
    assert f"{int(whole):,} requests a month of all applications" in text(client, "/plan/")


def test_a_share_whose_raters_do_not_agree_has_their_agreement_beside_it_wherever_it_is_shown(
    ready: Deployment,
) -> None:
    client = client_of("manager")
    assert "do not agree" not in text(client, "/") + text(client, "/decide/")
    Rating.objects.all().delete()
    Rating.objects.bulk_create(
        Rating(day=NOW.date(), request_id=answer, by=by, stars=4 + (n + turn) % 2, deployment=ready, model="mistral",
               task="rag")
        for n, answer in enumerate(uuid.uuid4() for _n in range(40)) for turn, by in enumerate(("p1", "p2"))
    )  # fmt: skip
    [verdict] = [row for row in verdicts(NOW) if row.question == "quality"]
    assert verdict.state == State.MET
    alpha = client.get("/quality/").context["answer"].total.agreement.alpha
    figure = f"{alpha:.2f}".replace("-", "\N{MINUS SIGN}")
    doubt = f"Raters of self-hosted answers do not agree enough: alpha is {figure}, required: 0.667."
    assert verdict.sentence.endswith(doubt)
    assert all(doubt in text(client, page) for page in ("/", "/decide/"))


@pytest.mark.parametrize(
    ("ratings", "acceptable", "state"),
    [(60, 57, State.MET), (40, 30, State.TOO_CLOSE), (60, 20, State.NOT_MET), (29, 29, State.NOT_ENOUGH)],
)
def test_quality_and_decide_judge_the_same_ratings_alike(
    ready: Deployment, ratings: int, acceptable: int, state: State
) -> None:
    Rating.objects.all().delete()
    rated(ready, ratings, acceptable)
    [verdict] = [row for row in verdicts(NOW) if row.question == "quality"]
    assert verdict.state == state
    page = client_of("manager").get("/quality/")
    [[ours], [task]] = [table.groups for table in page.context["tables"] if table.kind in ("deployment", "task")]
    assert (float(ACCEPTED), Thresholds().ratings_per_task) == (PASS, ENOUGH), "one limit"
    for group in (ours.group, task.group):
        interval = wilson(acceptable, ratings)
        assert interval is not None and group.interval == (float(interval.low), float(interval.high))
        assert (group.passes, group.enough) == (state == State.MET, state != State.NOT_ENOUGH)
    headline = page.context["answer"].headline()
    assert (share_words(ours.group) in headline) == (state != State.NOT_ENOUGH)


def test_an_idle_machine_costs_the_same_on_its_page_on_savings_and_in_its_alerts_mail(ready: Deployment) -> None:
    lease = LeaseFactory.create(
        account=AccountFactory.create(kind="runpod"), external_id="pod1", name="gpu-1", state="running",
        price_per_hour=Decimal("0.06"), started_at=NOW - timedelta(days=30), seen_at=NOW,
    )  # fmt: skip
    LeaseSpanFactory.create(lease=lease, starts_at=lease.started_at, ends_at=NOW, price_per_hour=lease.price_per_hour)
    DeploymentFactory.create(slug="unused", lease=lease)
    ensure_defaults()
    evaluate(now=NOW, wait=True)
    savings.search(NOW)
    client, reader = client_of("manager"), User.objects.create_superuser("ada", "ada@example.com")
    page, saving = f"/providers/leases/{lease.pk}/", "/spend/savings/"
    rendered = [*((at, 200, client.get(at).content.decode()) for at in (page, saving)), *mails(reader, NOW)]
    figures = collect(rendered)
    assert [*figures.differences()] == []
    idle = [html for at, _status, html in rendered if at in (page, saving) or "Idle GPU: gpu-1" in html]
    assert len(idle) == 3 and all("$0.0600 an hour" in html for html in idle)
    [mail] = [place for place in figures.values["idle-cost", "", str(lease.pk)]["10.08"] if "(mail)" in place]
    assert figures.values["idle-cost", "", str(lease.pk)] == {"10.08": [page, mail]}, "7 days are looked back"
    assert figures.values["lease-month", "at 0.06 USD an hour", str(lease.pk)] == {"43.80": [page, saving, mail]}
