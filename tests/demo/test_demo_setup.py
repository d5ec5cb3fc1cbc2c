from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import F

from alerts.kinds.sentences import sentence
from alerts.models import Rule
from costs.models import Charge, Phase, Stage
from demo import company, history, setup
from demo.client import Client
from demo.files import ADMIN, Credentials
from demo.story import Story
from providers.models import Account, CheckHour, Deployment, Feed, Lease, LeaseSpan, Offer, Outage
from providers.polling.due import claim
from providers.polling.services import poll
from sandbox.testing import running_sandbox
from tests.factories import LeaseFactory
from traffic.authentication.keys import hash_of
from traffic.models import Application, Key

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
STORY = Story(date(2026, 11, 24))


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Credentials.kept_in(tmp_path)


def set_up(credentials: Credentials, url: str = "http://127.0.0.1:1000") -> None:
    setup.set_up(STORY, credentials, url, NOW)
    setup.accounts(url, "{}", NOW)
    history.add_trial_lease(STORY, NOW)


def counts() -> list[int]:
    models = (
        User,
        Group,
        Application,
        Key,
        Deployment,
        Account,
        Feed,
        Phase,
        Stage,
        Charge,
        Lease,
        LeaseSpan,
        Outage,
        Rule,
    )
    return [model.objects.count() for model in (*models, CheckHour)]


def test_a_second_start_adds_nothing_and_follows_the_sandbox_to_its_new_address(credentials: Credentials) -> None:
    set_up(credentials)
    history.add_checks(STORY, NOW)
    before = counts()
    set_up(credentials, "http://127.0.0.1:2000")
    history.add_checks(STORY, NOW)
    assert counts() == before
    assert all(":2000/" in url for url in Deployment.objects.values_list("url", flat=True))
    assert all(":2000/" in url for url in Account.objects.values_list("base_url", flat=True))


def test_what_a_person_changed_stays(credentials: Credentials) -> None:
    set_up(credentials)
    Phase.objects.filter(slug="scale-up").update(budget_high=Decimal(450))
    Application.objects.get(slug="docs-qa").members.clear()
    set_up(credentials)
    assert Phase.objects.get(slug="scale-up").budget_high == 450
    assert not Application.objects.get(slug="docs-qa").members.exists()


def test_the_admin_may_log_in_with_the_printed_password(credentials: Credentials) -> None:
    set_up(credentials)
    admin = User.objects.get(username=ADMIN)
    assert admin.is_superuser and admin.check_password(credentials.passwords[ADMIN])


def test_every_role_has_its_people(credentials: Credentials) -> None:
    set_up(credentials)
    for person in company.PEOPLE:
        user = User.objects.get(username=person.username)
        assert [group.name for group in user.groups.all()] == [person.role]
        assert user.email and not user.is_superuser


def test_the_keys_given_away_belong_to_the_playground_with_one_scope_each(credentials: Credentials) -> None:
    set_up(credentials)
    ready = credentials.ready()
    for name, scope in (("ingest_key", "ingest"), ("rate_key", "rate"), ("gateway_key", "gateway")):
        key = Key.objects.get(hash=hash_of(ready[name]))
        assert key.application is not None and key.application.slug == company.PLAYGROUND and key.scopes == [scope]
    read = Key.objects.get(hash=hash_of(ready["api_key"]))
    assert read.application is None and read.scopes == ["read"]


def test_vendors_keys_can_be_read_back_and_are_not_stored_plain(credentials: Credentials) -> None:
    set_up(credentials)
    for account in Account.objects.all():
        assert account.secret.reveal() not in str(account.secret)
    assert Deployment.objects.get(slug="claude-haiku-4-5").api_key.reveal().startswith("sk-ant-")


def test_the_plan_has_the_three_phases_and_the_stages_of_the_research(credentials: Credentials) -> None:
    set_up(credentials)
    bands = [
        (int(phase.budget_low), int(phase.budget_high), phase.volume_from, phase.volume_to)
        for phase in Phase.objects.all()
    ]
    assert bands == [(50, 150, 0, 100_000), (300, 400, 100_000, 500_000), (500, 1000, 500_000, None)]
    current = Phase.objects.planned_for(NOW.date())
    assert current is not None and current.slug == "scale-up"
    assert list(Stage.objects.values_list("budget", flat=True)) == [50, 120, 1750]


def test_upkeep_is_entered_once_a_month(credentials: Credentials) -> None:
    set_up(credentials)
    setup.enter_charges(STORY, datetime(2026, 12, 2, tzinfo=UTC))
    days = Charge.objects.filter(category="upkeep").order_by("day").values_list("day", flat=True)
    assert list(days) == [date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)]
    charge = Charge.objects.filter(category="upkeep").earliest("day")
    assert (charge.currency, charge.receipt and charge.receipt.name) == ("EUR", "order-2207.txt")
    assert charge.rate in company.EUR_RATES


def test_outages_of_the_story_are_over_and_lie_in_watched_hours(credentials: Credentials) -> None:
    set_up(credentials)
    history.add_checks(STORY, NOW)
    mistral = Outage.objects.filter(deployment__slug="mistral-7b")
    assert mistral.count() == 2 and all(outage.ended_at for outage in mistral)
    for outage in mistral:
        hour = outage.started_at.replace(minute=0, second=0)
        assert CheckHour.objects.get(deployment=outage.deployment, hour=hour).failed > 0
    assert CheckHour.objects.filter(hour__gt=NOW).count() == 0


def test_mistral_is_tied_to_its_pod_once_a_poll_has_found_it(credentials: Credentials) -> None:
    set_up(credentials)
    setup.link_lease()
    assert Deployment.objects.get(slug="mistral-7b").lease is None
    pod = LeaseFactory.create(
        account=Account.objects.get(slug="runpod"),
        external_id=company.POD_ID,
        price_per_hour=company.GPU_HOURLY,
        started_at=NOW,
        seen_at=NOW,
    )
    setup.link_lease()
    assert Deployment.objects.get(slug="mistral-7b").lease == pod


def test_the_trial_pod_cost_less_than_its_stage_may(credentials: Credentials) -> None:
    set_up(credentials)
    spans = LeaseSpan.objects.filter(lease__external_id=company.TRIAL_POD_ID)
    hours = sum((span.ends_at - span.starts_at).total_seconds() / 3600 for span in spans)
    assert hours == 120
    assert Decimal(hours) * company.GPU_HOURLY < company.PROOF_OF_CONCEPT.budget


def test_the_companys_own_rules_are_sentences_and_a_deleted_one_stays_deleted(credentials: Credentials) -> None:
    set_up(credentials)
    said = [sentence(rule) for rule in Rule.objects.filter(kind="figure")]
    assert said == [
        "When spend of application Support assistant today is over $4.75 for 1 h, notify ops and manager by e-mail.",
        "When p95 time to first token of application Website chat in the last hour is over 1.5 s for 2 h, notify ops by"
        " e-mail.",
    ]
    Rule.objects.update(deleted_at=NOW)
    set_up(credentials)
    assert not Rule.objects.not_deleted().filter(kind="figure").exists()


def test_every_vendor_of_the_research_is_read_google_with_the_machine_around_its_gpus(credentials: Credentials) -> None:
    with running_sandbox(now=NOW) as sandbox:
        client = Client(sandbox.url, sandbox.url, threading.Event())
        setup.accounts(sandbox.url, client.read(setup.GOOGLE_KEY), NOW)
        client.close()
        google = Account.objects.get(kind="google")
        for feed in claim(NOW, account=google):
            poll(feed)
    assert set(Account.objects.values_list("kind", flat=True)) == {"anthropic", "google", "lambda", "runpod", "vast"}
    assert not google.feeds.exclude(last_error="").exists()
    told = Offer.objects.filter(provider="google")
    assert {"T4", "L4", "A100 80GB", "H100"} <= set(told.values_list("gpu", flat=True))
    assert set(told.values_list("kind", flat=True)) == {"on_demand", "spot", "committed_1y", "committed_3y"}
    assert told.filter(whole_per_gpu_hour__gt=F("price_per_gpu_hour")).exists()
