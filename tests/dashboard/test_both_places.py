"""Two places that answer one question show the same."""

from __future__ import annotations

import csv
import io
import re
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.kinds.vendors import lease_used
from alerts.models import Alert, Rule
from costs.ledger import posting as ledger
from costs.models import AnomalyLook, Budget, Finding
from costs.readiness.inputs import read_report
from costs.reconciliation.tolerances import reconciliation_gaps
from costs.savings import search
from dashboard.menu.page import Link, Menu
from dashboard.templatetags.page import waiting_alerts
from lib.dates import BEGINNING
from lib.formats import dollars
from providers.models import Lease, TokenPrice
from tests.costs.pdf_text import text_of
from tests.costs.usage_rows import at, usage
from tests.costs.world import watermark
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    DeploymentFactory,
    LeaseFactory,
    LeaseSpanFactory,
    MaintenanceFactory,
    TokenPriceFactory,
    VendorCostFactory,
)
from tests.pages import html_of, words
from traffic.models import Rating, Request
from traffic.quality.queries import acceptable
from traffic.requests.detail_page import RequestDetail
from traffic.usage.filters import Filters

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

NOW = datetime(2026, 12, 10, 12, tzinfo=UTC)
DAY = date(2026, 12, 5)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("mia", "mia@example.com", "a long password of hers"))
    return client


def text(client: Client, url: str) -> str:
    return words(html_of(client.get(url)))


# --- bills: Spend, Reconciliation, the rule ---


def test_a_gap_is_over_tolerance_on_spend_on_reconciliation_and_for_the_rule(admin: Client) -> None:
    claude = AccountFactory.create(slug="claude", name="Claude")
    watermark(claude, at(DAY + timedelta(days=2)), "costs")
    usage(day=DAY, model="claude-sonnet-5-5", output=100, cost=Decimal(97))
    usage(day=DAY + timedelta(days=1), model="claude-haiku-4-5", output=100, cost=Decimal(300))
    VendorCostFactory.create(
        account=claude, external_id="1", starts_at=at(DAY + timedelta(days=1)), ends_at=at(DAY + timedelta(days=2)),
        category="tokens", amount=300, original_amount=30000, model="claude-haiku-4-5", token_class="output",
    )  # fmt: skip
    ledger.post()
    for url in ("/spend/?month=2026-12", "/spend/reconciliation/?month=2026-12"):
        page = text(admin, url)
        assert "Bills are $97.00 (24 %) below our records." in page
        assert "$97.00 of requests are missing from Anthropic’s bill." in page
        assert "over tolerance" in page
        assert "explained" not in page.replace("Unexplained", "")
    assert [(gap.provider, gap.gap) for gap in reconciliation_gaps(NOW) if gap.over] == [("anthropic", Decimal(-97))]


def test_a_small_bill_that_our_records_do_not_know_is_named_on_spend_and_reconciliation(admin: Client) -> None:
    claude = AccountFactory.create(slug="claude", name="Claude")
    watermark(claude, at(DAY + timedelta(days=2)), "costs")
    VendorCostFactory.create(
        account=claude, external_id="1", starts_at=at(DAY), ends_at=at(DAY + timedelta(days=1)),
        category="tokens", amount=3, original_amount=300, model="claude-haiku-4-5", token_class="output",
    )  # fmt: skip
    ledger.post()
    for url in ("/spend/?month=2026-12", "/spend/reconciliation/?month=2026-12"):
        page = text(admin, url)
        assert "Bills are $3.00, and our records are empty." in page
        assert "small difference" in page and "within tolerance" not in page
    assert not any(gap.over for gap in reconciliation_gaps(NOW)), "it is named, without an alert"


# --- ratings: Rate, Quality, its comments, the API, the scorecard ---


def test_three_stars_are_not_acceptable_wherever_a_rating_is_counted(admin: Client) -> None:
    own = DeploymentFactory.create(slug="own", name="Own", url="http://127.0.0.1:9/v1")
    for stars, score in ((3, 0), (4, -1), (None, 0)):
        Rating.objects.create(
            day=NOW.date(), by=f"p{stars}", response_id=f"r{stars}", request_id=uuid.uuid4(), score=score, stars=stars,
            deployment=own, model="mistral", task="rag", comment=f"stars {stars}",
            application=ApplicationFactory.create(slug=f"a{stars}"),
        )  # fmt: skip
    admin_page = text(admin, "/quality/")
    assert "2 of 3" in admin_page
    for comment, word in (("stars 3", "not acceptable"), ("stars 4", "acceptable"), ("stars None", "acceptable")):
        rating = Rating.objects.get(comment=comment)
        assert acceptable(rating) is (word == "acceptable")
    assert "not acceptable 3 of 5 stars 3" in admin_page
    assert "acceptable 4 of 5 stars 4" in admin_page
    groups = admin.get("/api/v1/quality?group_by=deployment").json()["groups"]
    assert [round(group["acceptable_share"] * 3) for group in groups] == [2]
    tasks = read_report(NOW, Filters()).evidence.tasks
    assert [(task.ratings, task.acceptable) for task in tasks if task.ratings] == [(3, 2)]


# --- how busy a GPU is: leases, the alert, the break-even ---


def test_a_gpus_busy_time_and_the_capacity_used_have_names_of_their_own(admin: Client) -> None:
    lease = LeaseFactory.create(
        account=AccountFactory.create(slug="vast", name="Vast", kind="vast"), external_id="1", name="gpu-1",
        state="running", price_per_hour=Decimal("0.06"), utilisation=0.62, started_at=NOW - timedelta(days=3),
    )  # fmt: skip
    name = "GPU busy, as Vast.ai reports it"
    assert f"{name} 62 %" in text(admin, f"/providers/leases/{lease.pk}/")
    for url in ("/providers/", "/providers/leases/"):
        assert f"62 % {name}" in text(admin, url)
    Lease.objects.update(utilisation=0.01)
    found = lease_used(EvaluationContext(NOW), Lease.objects.get(), NOW - timedelta(days=2), timedelta(hours=6))
    assert [name, "1\N{NO-BREAK SPACE}%", ""] in [fact[:3] for fact in found.words["facts"]]
    pages = [text(admin, url).lower() for url in ("/break-even/", "/providers/", f"/providers/leases/{lease.pk}/")]
    assert not any("utilisation" in page for page in pages)
    assert "capacity used" in pages[0]


# --- what a machine costs a month: its page, the alert, Savings ---


def test_stopping_an_unused_machine_saves_what_its_page_and_the_alert_say_it_costs(admin: Client) -> None:
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    idle, stopped = (
        LeaseFactory.create(
            account=account, external_id=name, name=name, state=state, price_per_hour=Decimal(price),
            started_at=NOW - timedelta(hours=61), seen_at=NOW,
        )
        for name, state, price in (("bge-m3", "running", "0.06"), ("photos", "stopped", "0.011"))
    )  # fmt: skip
    for lease in (idle, stopped):
        LeaseSpanFactory.create(
            lease=lease, state=lease.state, starts_at=NOW - timedelta(hours=61), ends_at=NOW,
            price_per_hour=lease.price_per_hour,
        )  # fmt: skip
    for days in range(1, 10):
        usage(day=NOW.date() - timedelta(days=days), cost=Decimal(1))
    search(NOW)
    page = text(admin, "/spend/savings/")
    for lease, month in ((idle, "$43.80"), (stopped, "$8.03")):
        assert dollars(Finding.objects.get(lease=lease).monthly) == month
        assert month.removeprefix("$") in page
        assert f"{month} a month" in text(admin, f"/providers/leases/{lease.pk}/")
        found = lease_used(EvaluationContext(NOW), Lease.objects.get(pk=lease.pk), lease.started_at, timedelta(hours=6))
        assert ["A month", month, "730 hours at this price"] in [fact[:3] for fact in found.words["facts"]]


# --- budgets: Overview, Plan ---


def test_the_overview_counts_the_budgets_that_are_over_on_the_plan(admin: Client) -> None:
    for slug, high in (("helper", 5), ("answers", 5), ("chat", 500)):
        application = ApplicationFactory.create(slug=slug, name=slug.title())
        Budget.objects.create(
            slug=slug, name=slug, scope="application", application=application, low=high, high=high,
            starts_on=NOW.date().replace(day=1),
        )  # fmt: skip
        usage(day=DAY, application_id=application.pk, cost=Decimal(10))
    overview, plan = html_of(admin.get("/")), admin.get("/plan/")
    assert sum(row.position.is_over for row in plan.context["budgets"].rows) == 2
    assert "2 application budgets are over" in words(overview)
    assert 'href="/plan/#budgets-h"' in overview


# --- what needs someone: Anomalies, Alerts ---


def test_anomalies_without_any_name_the_alerts_that_need_someone(admin: Client) -> None:
    AnomalyLook.objects.create(at=NOW, applications=3, too_little=[])
    assert "need" not in text(admin, "/spend/anomalies/").split("are as usual")[1].split("JSON")[0]
    ensure_defaults()
    rule = Rule.objects.all()[0]
    for name, state in (("a", "open"), ("b", "open"), ("c", "open"), ("mine", "acknowledged")):
        Alert.objects.create(
            rule=rule,
            kind=rule.kind,
            subject=name,
            title=name,
            severity="warning",
            state=state,
            pending_since=NOW,
            opened_at=NOW,
        )
    page = html_of(admin.get("/spend/anomalies/"))
    assert "are as usual" in page and '<a href="/alerts/">3 unassigned alerts</a>.' in page
    inbox = replace(admin.get("/alerts/").context["page"], late=False)  # as after an evaluation
    assert inbox.answer().startswith("3 open, unassigned.")
    assert waiting_alerts(Menu()) == "" == waiting_alerts(Menu([Link("Alerts", "/alerts/")]))


# --- maintenance: Silences, Uptime ---


def test_silences_and_uptime_list_the_same_maintenance(admin: Client) -> None:
    for name in ("Mistral", "Llama"):
        MaintenanceFactory.create(
            deployment=DeploymentFactory.create(slug=name.lower(), name=name, url=f"http://127.0.0.1:9/{name}"),
            starts_at=NOW + timedelta(days=2), ends_at=NOW + timedelta(days=2, hours=1), reason=f"disk of {name}",
        )  # fmt: skip
    for url in ("/alerts/silences/", "/uptime/"):
        page = text(admin, url)
        assert "disk of Mistral" in page and "disk of Llama" in page
    assert admin.get("/alerts/silences/").context["planned"] == admin.get("/uptime/").context["planned"]


# --- at least: the statement as page, PDF and CSV ---


def test_an_owners_subtotals_say_at_least_where_one_of_their_requests_has_no_price(admin: Client) -> None:
    ann = User.objects.create_user("ann")
    for slug, cost, unpriced in (("shop", "12.35", 3), ("docs", "12.34", 0)):
        application = ApplicationFactory.create(slug=slug, name=slug.title(), owner=ann)
        usage(day=DAY, application_id=application.pk, cost=Decimal(cost), unpriced=unpriced)
    page = text(admin, "/spend/statements/2026-12/owner/ann/")
    assert "Shop: ≥ $12.35" in page and "Total ≥ 12.35" in page
    assert "Docs: $12.34" in page and "Total 12.34" in page
    assert "ann: ≥ $24.69" in page


def test_a_statement_says_at_least_on_its_page_in_its_pdf_and_in_its_csv(admin: Client) -> None:
    for slug, cost, unpriced in (("shop", "12.35", 3), ("docs", "12.34", 0)):
        application = ApplicationFactory.create(slug=slug, name=slug.title())
        usage(day=DAY, application_id=application.pk, cost=Decimal(cost), unpriced=unpriced)
    total, shop = "≥ $24.69", "≥ $12.35"
    listed = text(admin, "/spend/statements/?month=2026-12&by=application")
    assert total in listed and "≥ 12.35" in listed
    assert f"Shop: {shop} of" in text(admin, "/spend/statements/2026-12/application/shop/")
    for path, title in (("2026-12/application/shop/statement.pdf", f"Shop: {shop}"),
                        ("statements.pdf?month=2026-12&by=application", f"Total: {total}")):  # fmt: skip
        drawn = " ".join(" ".join(text_of(admin.get(f"/spend/statements/{path}").content)).split())
        assert title in drawn
        assert "≥ 12.35" in drawn or shop in drawn
    answer = admin.get("/spend/statements/statements.csv?month=2026-12&by=application").content.decode()
    rows = {row["statement"]: row for row in csv.DictReader(io.StringIO(answer))}
    assert (rows["shop"]["amount_usd"], rows["shop"]["at_least"]) == ("12.35", "≥")
    assert (rows["docs"]["amount_usd"], rows["docs"]["at_least"]) == ("12.34", "")


# --- leases: the sentence, the table's heading and its foot ---


def test_providers_counts_leases_and_their_month_once(admin: Client) -> None:
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    for number, state in enumerate(("running", "running", "running", "stopped")):
        lease = LeaseFactory.create(
            account=account, external_id=f"p{number}", name=f"p{number}", state=state, price_per_hour=Decimal("0.1"),
            started_at=NOW - timedelta(hours=10), seen_at=NOW,
        )  # fmt: skip
        LeaseSpanFactory.create(
            lease=lease, state=state, starts_at=NOW - timedelta(hours=10), ends_at=NOW, price_per_hour=Decimal("0.1")
        )
    page = text(admin, "/providers/")
    assert "4 leases, 3 with a GPU running: $0.40 an hour, $210.40 by the end of the month." in page
    assert page.count("4 leases, 3 with a GPU running") == 2  # the sentence and the heading of the table
    assert "210.40" in page.split("All", 1)[1]  # the table's foot
    leases = text(admin, "/providers/leases/")
    assert "4 rented now" in leases and "Rent now: $0.40 an hour" in leases


# --- what a month is compared with: Overview, Spend ---


@pytest.mark.parametrize(("now", "days"), [(NOW, "1 to 10 November"), (NOW.replace(month=11, day=30), "October")])
def test_the_overview_and_spend_compare_the_month_with_the_same_named_days(
    admin: Client, now: datetime, days: str
) -> None:
    for month, cost in ((10, 8), (11, 10), (12, 12)):
        for number in range(1, 31):
            usage(day=date(2026, month, number), cost=Decimal(cost + (number == 30)))
    with time_machine.travel(now, tick=False):
        ledger.post()
        overview, spend = text(admin, "/"), text(admin, "/spend/")
        change = re.search(rf"Against {days} \S+ \((\S+ %)\)", overview)
        assert change
        assert f"{change[1]} compared with {days}" in spend


# --- from when a price holds: the price list, the price, a request ---


@pytest.mark.parametrize(
    ("starts_at", "words_of_it", "note"),
    [
        (BEGINNING, "no start date known", "list price of the vendor, no start date known"),
        (datetime(2020, 5, 1, tzinfo=UTC), "1 May 2020", "price of the vendor, from 1 May 2020 on"),
    ],
)
def test_a_prices_start_reads_the_same_in_the_list_and_with_a_request(
    admin: Client, starts_at: datetime, words_of_it: str, note: str
) -> None:
    TokenPrice.objects.all().delete()
    price = TokenPriceFactory.create(
        model="opus", starts_at=starts_at, seen_at=NOW, source="the vendor", uncached_input=1, output=2
    )
    assert words_of_it in text(admin, "/settings/prices/")
    assert words_of_it in text(admin, "/settings/prices/?provider=anthropic&model=opus")
    assert words(RequestDetail(Request(cost=1), (), money=True, price=price).price_note()) == note
