"""The whole loop in one process: vendors over HTTP, requests, prices, budgets, pages, rules and mail over SMTP.

Each part is tested closely beside its app; here they must hold together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from alerts.defaults import ensure_defaults as alert_rules
from alerts.delivery import outbox
from alerts.evaluation import services
from alerts.models import Alert
from costs.ledger import posting as ledger
from lib.encryption import encrypt
from lib.partitions import make_partitions
from providers.defaults import ensure_defaults as price_book
from providers.models import Feed, Lease, Outage
from providers.polling.due import claim, ensure_feeds
from providers.polling.services import poll
from providers.uptime import due_checks
from sandbox.anthropic import ADMIN_KEY, API_KEY
from sandbox.runpod import KEY as RUNPOD_KEY
from sandbox.testing import Sandbox, running_sandbox
from tests.alerts.smtp_server import Mailbox, port_of, started
from tests.dashboard.logins import logged_in, with_role, words
from tests.factories import AccountFactory, ApplicationFactory, DeploymentFactory, PhaseFactory
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache
from traffic.usage.audit import rollup_differences

pytestmark = pytest.mark.django_db
MODEL = "claude-sonnet-4-5"
BUDGET = 10  # USD a month


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """What a mail server took in that the outbox sends to."""
    kept = Mailbox()
    server = started(kept)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port_of(server), 5
    yield kept
    server.stop()


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


class Team:
    """A team with a plan, an application, a manager and ops; its clock moves as the test says."""

    def __init__(self, vendors: Sandbox) -> None:
        self.vendors = vendors
        self.now = timezone.now()
        alert_rules()
        price_book()
        with_role("ops", "olga")
        self.manager = logged_in(with_role("manager", "mara"))
        self.application = ApplicationFactory.create(slug="shop", name="Shop", capture_bodies=True)
        _key, self.secret = create_key(name="shop", scopes=["ingest", "rate"], application=self.application)
        _key, self.reader = create_key(name="reads all", scopes=["read"])  # an application's key reads its own alone
        callers.clear()  # nothing of the test before is remembered
        clear_cache()
        PhaseFactory.create(
            slug="now",
            name="Now",
            budget_low=5,
            budget_high=BUDGET,
            starts_on=self.now.date().replace(day=1),
        )
        self.claude = DeploymentFactory.create(
            slug=MODEL, name="Claude", provider="anthropic", engine="anthropic", url=f"{vendors.url}/anthropic",
            api_key=encrypt(API_KEY), local=True,
        )  # fmt: skip

    # what programs do

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._answer(Client().post(f"/api/v1/{path}", body, "application/json", headers=bearer(self.secret)))

    def get(self, path: str) -> Any:
        return self._answer(Client().get(f"/api/v1/{path}", headers=bearer(self.reader)))

    def _answer(self, response: Any) -> Any:
        assert response.status_code == 200, response.content
        return response.json()

    def send(self, *names: str, tokens: dict[str, int], model: str = MODEL) -> Any:
        rows = [
            {
                "id": name, "started_at": self.now.isoformat(), "provider": "anthropic",
                "model": model, "deployment": MODEL, "task": "rag", "latency_ms": 800, "ttft_ms": 200, "streamed": True,
                "response_id": f"msg_{name:0>20}", "tokens": tokens, "prompt": "May I?", "answer": "You may.",
            }
            for name in names
        ]  # fmt: skip
        return self.post("requests", {"requests": rows})

    # what the workers do

    def poll(self) -> None:
        for feed in claim(timezone.now()):
            assert poll(feed), Feed.objects.get(pk=feed.pk).last_error
        ledger.post()

    def look(self, seconds: float = 15) -> None:
        """Let time pass; rules are evaluated, and what waits is sent."""
        self.now += timedelta(seconds=seconds)
        done = services.evaluate(now=self.now)
        assert not done.errors, done.errors
        outbox.deliver(clock=lambda: self.now)

    def check(self, times: int) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=31)
            due_checks.check_due(now=self.now)


@pytest.fixture
def team(vendors: Sandbox) -> Team:
    today = timezone.now().date()
    make_partitions(connection.connection, "providers_check", [today, today + timedelta(days=1)])
    return Team(vendors)


def account(team: Team, kind: str, secret: str) -> None:
    made = AccountFactory.create(
        slug=kind, kind=kind, base_url=f"{team.vendors.url}/{kind}", secret=encrypt(secret), local=True
    )
    ensure_feeds(made, timezone.now())


def test_requests_become_money_figures_and_a_mail_when_a_line_is_crossed(team: Team, mailbox: Mailbox) -> None:
    long = {"uncached_input": 100_000, "output": 20_000}  # 30 + 30 cents
    names = [f"a{n}" for n in range(10)]
    assert team.send(*names, tokens=long) == {"accepted": 10, "duplicates": 0, "rejected": []}
    assert team.send(*names, tokens=long)["duplicates"] == 10

    # priced and added up at once, the same over the API and on the pages
    assert Decimal(team.get("spend")["total"]) == 6
    assert team.get("usage?group_by=task")["groups"][0]["requests"] == 10
    assert team.get("latency?group_by=deployment")["groups"][0]["ttft"]["p95_ms"] == pytest.approx(200, rel=0.01)
    assert "$6.00" in words(team.manager, "/") and "$6.00" in words(team.manager, "/spend/")

    # 60 % of the budget: one mail to each planner, with the amount and a link, and never a second one. It waits a
    # minute for other budgets that the same spend may cross.
    team.look()
    assert Alert.objects.get(kind="budget").state == "open"
    assert not any("budget" in str(message["Subject"]) for message in mailbox.accepted)
    team.look(60)
    team.look()
    budget = [message for message in mailbox.accepted if "50 % of budget" in message["Subject"]]
    assert sorted(message["To"] for message in budget) == ["mara@example.com", "olga@example.com"]
    assert "$6.00 of $10" in budget[0]["Subject"]
    text = budget[0].get_body(("plain",))
    alert = Alert.objects.get(kind="budget")
    assert text is not None and f"/alerts/{alert.pk}/" in text.get_content()
    assert "50 % of budget" in words(team.manager, "/")
    delivery = team.get("alerts?state=open")["items"][0]["deliveries"][0]
    assert (delivery["state"], delivery["attempts"]) == ("accepted", 1)

    # what has no price is counted and said, not taken for nothing
    team.send("b", tokens={"uncached_input": 10}, model="nobody-knows")
    assert Decimal(team.get("spend")["total"]) == 6 and team.get("spend")["unpriced_requests"] == 1
    assert "At least" in words(team.manager, "/")
    team.look()
    assert any("nobody-knows" in str(message["Subject"]) for message in mailbox.accepted)

    # over the budget: the level rises once
    team.send(*(f"c{n}" for n in range(10)), tokens=long)
    team.look()
    team.look(60)
    assert sum("Over budget" in str(message["Subject"]) for message in mailbox.accepted) == 2
    assert_audited()


def test_an_answer_is_rated_and_the_rating_stands_on_the_scoreboard(team: Team) -> None:
    team.send("a", tokens={"uncached_input": 100, "output": 100})
    for n in range(40):
        team.post("feedback", {"request_id": f"msg_{'a':0>20}", "stars": 5 if n else 1, "by": f"customer-{n}"})
    [group] = team.get("quality?group_by=deployment")["groups"]
    assert (group["key"], group["ratings"]) == (MODEL, 40) and group["acceptable_share"] == pytest.approx(39 / 40)
    assert "40 ratings" in words(team.manager, "/") and "98" in words(team.manager, "/quality/")


def test_vendors_are_polled_and_their_bill_takes_the_place_of_what_was_measured(team: Team) -> None:
    hour = (team.now - timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    team.vendors.load("anthropic", {"usage": [usage_line(hour)]})
    started = team.now - timedelta(hours=5)
    team.vendors.load("runpod", {"pods": [pod(started)], "balance": "20"})
    account(team, "anthropic", ADMIN_KEY)
    account(team, "runpod", RUNPOD_KEY)
    team.poll()
    lease = Lease.objects.get()
    assert lease.gpu and lease.price_per_hour > 0 and lease.ended_at is None
    spent = team.get(f"spend?from={hour.date()}&to={hour.date() + timedelta(days=1)}")
    assert Decimal(spent["provenance"]["billed"]) == Decimal(spent["total"]) == 3
    assert team.get("offers")["items"] and team.get("leases")["items"]
    assert lease.gpu in words(team.manager, "/providers/")
    assert_audited()


def assert_audited() -> None:
    """What `manage.py audit` compares; the command itself asks for a transaction of its own."""
    assert list(rollup_differences()) == [] and list(ledger.differences()) == []


def usage_line(hour: datetime) -> dict[str, Any]:
    return {
        "hour": f"{hour:%Y-%m-%dT%H:00:00Z}", "model": MODEL, "service_tier": "standard", "workspace": "wrkspc_01",
        "api_key": "apikey_01", "requests": 10, "web_searches": 0,
        "tokens": {"uncached_input": 1_000_000}, "cost": {"uncached_input": "3"},
    }  # fmt: skip


def pod(started: datetime) -> dict[str, Any]:
    span = {"from": f"{started:%Y-%m-%dT%H:%M:%SZ}", "to": None, "status": "RUNNING"}
    return {
        "id": "pod1", "name": "mistral", "gpu": "NVIDIA GeForce RTX 4090", "gpu_count": 1, "price_per_hour": "0.34",
        "cloud": "COMMUNITY", "status": "RUNNING", "spans": [span], "disk_per_hour": "0",
    }  # fmt: skip


def test_a_deployment_that_fails_is_an_outage_a_mail_and_a_page_until_it_is_back(team: Team, mailbox: Mailbox) -> None:
    team.check(2)
    assert team.get("uptime")["deployments"][0]["state"] == "up"
    assert "everything <b>up</b>" in words(team.manager, "/")

    team.vendors.fault("anthropic", "500", for_s=600)
    team.check(3)
    assert Outage.objects.open().get().deployment == team.claude
    team.look(60)
    assert any("Claude" in str(message["Subject"]) or MODEL in str(message["Subject"]) for message in mailbox.accepted)
    assert team.get("alerts?state=open")["items"][0]["kind"].startswith("outage")

    team.vendors.clear_faults()
    team.check(2)
    assert not Outage.objects.open().exists()
    for _ in range(10):
        team.look(120)
    over = team.get(f"alerts?state=resolved&deployment={MODEL}")["items"]
    assert [alert["kind"] for alert in over] == ["outage"]
