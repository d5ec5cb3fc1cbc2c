"""Where two pages once gave two answers: each test reads both at one moment.

The 28 contradictions that a review found, by their numbers in it, and what reads both places of each:

1, 10 to 13, 17, 18, 21, 23, 25: `test_both_places`, in this order.
9, 14, 20: `test_read_both_pages` (and `test_both_places` for the API and the scorecard,
`tests/alerts/delivery/test_no_server.py` for rules that reach nobody).
2, 8: `test_one_verdict` (every page and the API say the same state, the same saving, and the same share of ratings).
3 to 7, 15, 16, 22: below.
19: `tests/providers/uptime/test_uptime_page.py` (Uptime, deployments, Overview).
24: `tests/alerts/test_names_and_values.py` (the alert, its list, its text and Plan).
26, 27: `test_forms_and_zones` (what a heading says and what its form requires).
28: `tests/dashboard/http/test_reader_zone.py` (the mail, the page of the alert, Uptime and the foot of the page).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from alerts.evaluation.services import evaluate
from alerts.inbox.page_counts import count_pages
from alerts.models import Alert
from costs.anomalies import services as anomalies
from costs.anomalies.find import New
from costs.ledger import posting as ledger
from costs.models import AnomalyLook, Budget
from dashboard.page_audit.compare import collect
from lib.formats import dollars
from providers.models import Deployment
from tests.costs.breakeven.test_task_models import HAIKU, SONNET, today
from tests.costs.conftest import ready
from tests.costs.people import client_of
from tests.costs.readiness.test_records import call
from tests.costs.readiness_rows import rated
from tests.costs.usage_rows import at, usage
from tests.costs.world import watermark
from tests.factories import AccountFactory, ApplicationFactory, DeploymentFactory, PhaseFactory, VendorCostFactory
from tests.pages import html_of, words
from traffic.models import Rating, UsageHour

__all__ = ["ready", "today"]  # fixtures

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)  # the last 30 days lie in two months, and its own month begins on the 1st

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]


def text(client: Client, url: str) -> str:
    return words(html_of(client.get(url)))


def test_break_even_names_what_spend_shows_beside_its_own_total(ready: Deployment) -> None:
    usage(day=NOW.date() - timedelta(days=4), model="claude-sonnet-4-5", task="code", requests=9, cost=Decimal("7.00"))
    ledger.post()
    client = client_of("manager")
    spent = client.get("/spend/?month=2026-11").context["page"].total.total
    assert spent > 900
    page = text(client, "/break-even/")
    assert f"Spend shows {dollars(spent, 0)} for the last 30 days, and this total is $" in page
    assert client.get("/break-even/").context["here_on"] == "selfhost", "self-hosted requests lie on that line"


def test_what_the_work_cost_before_is_the_same_on_break_even_on_spend_and_in_the_api(today: date) -> None:
    ledger.post()
    client = client_of("manager")
    [row] = [row for row in client.get("/spend/?month=2026-10&by=task").context["page"].users if row.key == "rag"]
    [past] = [client.get("/api/v1/break-even").json()["backtest"]]
    assert row.per_thousand == Decimal(past["before"]["cost_per_1000"]) == 1
    page = text(client, "/break-even/")
    assert f"1,000 requests of this work cost {dollars(row.per_thousand)} by the ledger." in page
    since = client.get("/api/v1/spend?from={from}&to={to}&group_by=task".format(**past["now"])).json()
    [now] = [group for group in since["groups"] if group["key"] == "rag"]
    cost = Decimal(now["amount"]) * 1000 / past["now"]["requests"]
    assert cost == Decimal(past["now"]["cost_per_1000"])
    assert f"In the last 20 days they cost {dollars(cost)}." in page


def test_the_model_that_break_even_names_prices_the_saving_of_every_page_and_test_requests_change_none(
    today: date,
) -> None:
    client = client_of("manager")

    def saving() -> str:
        figures = collect((page, 200, client.get(page).content.decode()) for page in ("/", "/break-even/", "/decide/"))
        assert [*figures.differences()] == []
        [(value, places)] = figures.values["saving", "", ""].items()
        assert places == ["/", "/break-even/", "/decide/"]
        return value

    before = saving()
    assert f"Without self-hosting: {HAIKU}" in text(client, "/break-even/")
    tests = ApplicationFactory.create(slug="playground", test_only=True)
    usage(UsageHour, hour=at(today - timedelta(days=2), 9), application_id=tests.pk, model=SONNET, requests=8_000,
          uncached_input=4_000_000, output=400_000)  # fmt: skip
    assert saving() == before
    client.post("/break-even/tasks/rag/", {"model": f"anthropic/{SONNET}"})
    assert saving() != before
    assert f"Without self-hosting: {SONNET}" in text(client, "/break-even/")


@pytest.mark.parametrize(("task", "is_compared"), [("code", False), ("rag", True)])
def test_overview_compares_with_the_api_only_where_decide_and_break_even_do(
    ready: Deployment, task: str, is_compared: bool
) -> None:
    Rating.objects.all().delete()
    rated(ready, 60, 57)
    api = DeploymentFactory.create(slug="api", name="Sonnet", provider="anthropic", engine="anthropic")
    rated(api, 60, 60, model="claude-sonnet-4-5", task=task)
    client = client_of("manager")
    overview, page, quality = (text(client, url) for url in ("/", "/break-even/", "/quality/"))
    assert ("Deployments are not compared: no task has enough ratings of two of them" in quality) is not is_compared
    assert ("No task has ratings of both sides, so they cannot be compared." in overview) is not is_compared
    assert ("On the same tasks, self-hosted answers are rated" in overview) is is_compared
    assert ("Quality is not known: too few ratings of both sides" in page) is not is_compared
    assert "API’s rated answers are acceptable" not in overview


def test_decide_counts_the_calls_whose_notifications_alerts_lists_as_accepted(ready: Deployment) -> None:
    call(ready.slug, NOW - timedelta(days=1))
    call(ready.slug, NOW - timedelta(days=2), about="latency", state="unsent")
    count_pages(NOW)
    listed = text(client_of("ops"), "/alerts/deliveries/")
    assert "2 of 4 notifications were accepted" in listed, "of one alert, to two people each"
    client = client_of("manager")
    assert client.get("/api/v1/scorecard").json()["burden"]["pages"]["value"] == 1
    assert "delivered alerts about self-hosted deployments 1 no limit" in text(client, "/decide/")


def test_what_is_new_costs_on_anomalies_what_spend_and_its_statement_bill(ready: Deployment) -> None:
    """9.01 by requests at list price, of which the vendor bills 0.63."""
    day = NOW.date() - timedelta(days=1)
    playground = ApplicationFactory.create(slug="playground", name="Playground")
    claude = AccountFactory.create(slug="claude", name="Claude")
    watermark(claude, at(day + timedelta(days=2)), "costs")
    usage(day=day, application_id=playground.pk, model="claude-haiku-4-5", output=100, cost=Decimal("9.01"))
    VendorCostFactory.create(
        account=claude, external_id="1", starts_at=at(day), ends_at=at(day + timedelta(days=1)), category="tokens",
        amount=Decimal("0.63"), original_amount=63, model="claude-haiku-4-5", token_class="output",
    )  # fmt: skip
    ledger.post()
    came = anomalies.new_json(New(playground.pk, "", 3, Decimal("9.01")), "playground", NOW, anomalies.in_ledger(NOW))
    AnomalyLook.objects.create(at=NOW, applications=1, too_little=[], new=[came])
    client = client_of("manager")
    listed = text(client, "/spend/anomalies/")
    assert "Playground" in listed and "0.63" in listed and "9.01" not in listed
    assert "Playground: $0.63" in text(client, "/spend/statements/2026-11/application/playground/")
    [row] = [row for row in client.get("/spend/?month=2026-11").context["page"].users if row.key == "playground"]
    assert row.amount == Decimal("0.63")


def test_the_title_and_the_text_of_a_budgets_alert_name_what_plan_names(ready: Deployment) -> None:
    chat = ApplicationFactory.create(slug="chat", name="Website chat")
    usage(day=NOW.date(), application_id=chat.pk, model="claude-sonnet-4-5", task="chat", cost=Decimal("44.34"))
    first = NOW.date().replace(day=1)
    PhaseFactory.create(slug="p", name="P", budget_low=1, budget_high=5_000, volume_from=0, starts_on=first)
    Budget.objects.create(slug="site", name="Site chat", scope="task", task="chat", low=1, high=60, starts_on=first)
    evaluate(now=NOW, kinds=["budget"], wait=True)
    alert = Alert.objects.get(subject__startswith="budget:site")
    client = client_of("manager")
    assert alert.title == "50 % of budget: Site chat (task chat), $44.34 of $60"
    assert words(alert.words["detail"]) == "Site chat (task chat) has spent 74 % of its budget for November 2026."
    plan = words(html_of(client.get("/plan/")).split('id="budgets-h">')[1])
    assert plan.startswith("Not enough data for this budget: Site chat (task chat) ")
    assert "Site chattask chat" in plan and "44.34" in plan and "Website chat" not in plan
