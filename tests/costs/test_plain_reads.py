"""What pages read by plain statements is what the querysets of the same name give."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from alerts.defaults import ensure_defaults
from alerts.inbox.queries import count_waiting, waiting_and_taken
from alerts.models import Alert, Preference, Rule
from costs.allocation import committed
from costs.breakeven.measured_inputs import all_deployments
from costs.breakeven.queries import chosen_models
from costs.list_prices import ListPrices
from costs.models import Budget, Recurrence, TaskModel, subject_fields
from costs.plan.budgets import budgets_reaching
from dashboard.signin.backend import PasswordBackend
from lib import sql
from providers.models import Account, Deployment, Discount, Lease, TokenPrice
from providers.pricing.discounts import standing_discounts
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    DeploymentFactory,
    LeaseFactory,
    PairFactory,
    TokenPriceFactory,
    TrialFactory,
)
from traffic.comparisons.queries import own_against_api, results

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]


def values(row: Model | None) -> dict[str, Any] | None:
    """Every column of a row; of one that is read along as well."""
    return None if row is None else {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_an_instance_has_every_column_as_a_queryset_reads_it() -> None:
    account = AccountFactory.create(slug="x", kind="runpod", secret="s3cret", settings={"a": [1]}, identity=["i"])
    LeaseFactory.create(account=account, external_id="1", price_per_hour=Decimal("1.234567890123"), started_at=NOW)
    for model in (Account, Lease):
        [plain] = sql.Table(model, "t").read()
        assert values(plain) == values(model._default_manager.get()), model
        assert plain._state.adding is False and plain.pk


def test_deployments_come_with_lease_and_account_without_another_statement() -> None:
    lease = LeaseFactory.create(account=AccountFactory.create(slug="x"), external_id="1", started_at=NOW)
    DeploymentFactory.create(slug="b", lease=lease, api_key="key", vendor_limits={"tokens": {"limit": 1}})
    DeploymentFactory.create(slug="a")
    with CaptureQueriesContext(connection) as asked:
        plain = all_deployments()
        read_along = [row.lease and (values(row.lease), values(row.lease.account)) for row in plain]
    assert len(asked) == 1
    expected = list(Deployment.objects.select_related("lease__account"))
    assert [values(row) for row in plain] == [values(row) for row in expected]
    assert read_along == [row.lease and (values(row.lease), values(row.lease.account)) for row in expected]


def test_what_is_committed_is_what_is_reported_and_goes_on() -> None:
    on, off = AccountFactory.create(slug="on"), AccountFactory.create(slug="off", enabled=False)
    moved = AccountFactory.create(slug="moved", new_identity=["other"])
    for place, account in enumerate((on, off, moved, on)):
        LeaseFactory.create(account=account, external_id=f"{place}", price_per_hour=place, started_at=NOW)
    LeaseFactory.create(account=on, external_id="gone", started_at=NOW, ended_at=NOW)
    common: dict[str, Any] = {"every": "month", "starts_on": date(2026, 10, 25), "counts_from": date(2026, 10, 25)}
    amounts: dict[str, Any] = {"category": "vm", "provider": "google", "original_amount": 5, "currency": "USD"}
    Recurrence.objects.create(**common, **amounts)
    Recurrence.objects.create(**common, **amounts, until=TODAY)
    Recurrence.objects.create(**common, **amounts, stopped_at=NOW)
    plain = committed.read(TODAY)
    reported = Lease.objects.reported().select_related("account").order_by("-price_per_hour", "pk")
    assert [values(lease) for lease in plain.leases] == [values(lease) for lease in reported] != []
    assert {again for again, _day in plain.due} == set(Recurrence.objects.going_on(TODAY + timedelta(1))) != set()


def test_budgets_discounts_and_chosen_models_are_those_of_the_querysets() -> None:
    ada = User.objects.create_user("ada", first_name="Ada", last_name="L")
    owned = ApplicationFactory.create(slug="app", owner=ada)
    for scope, subject in (("everything", ""), ("application", "app"), ("owner", "ada"), ("task", "rag")):
        fields = subject_fields(scope, subject)
        Budget.objects.create(slug=scope, name=scope, **fields, low=1, high=9, starts_on=date(2026, 11, 30))
    Budget.objects.create(
        slug="over", name="o", scope="everything", low=1, high=2, starts_on=date(2026, 1, 1), ends_on=date(2026, 11, 1)
    )
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    plain = budgets_reaching(first, last)
    assert plain == list(Budget.objects.reaching(first, last + timedelta(1))) and len(plain) == 4
    assert [row.subject for row in plain if row.scope == "application"] == [owned.slug]
    account = AccountFactory.create(slug="x", kind="anthropic")
    common: dict[str, Any] = {"account": account, "starts_on": TODAY, "source": "s", "entered_at": NOW}
    Discount.objects.create(**common, percent=5)
    Discount.objects.create(**common, percent=6, model="m")
    Discount.objects.create(**common, percent=7, withdrawn_at=NOW)
    assert standing_discounts() == {"anthropic": list(Discount.objects.standing().order_by("-model", "-starts_on"))}
    for task, by in (("rag", ada), ("qa", User.objects.create_user("bob")), ("chat", None)):
        TaskModel.objects.create(task=task, provider="anthropic", model="m", by=by, chosen_at=NOW)
    assert {task: row.by for task, row in chosen_models().items()} == {"rag": "Ada L", "qa": "bob", "chat": ""}


def test_alerts_wait_and_stand_in_order_as_the_querysets_say() -> None:
    ensure_defaults()
    rule, ada = Rule.objects.earliest("pk"), User.objects.create_user("ada")
    made: list[tuple[str, dict[str, Any]]] = [
        ("critical", {}), ("info", {}), ("warning", {}), ("warning", {"assigned_to": ada}),
        ("warning", {"snoozed_until": NOW + timedelta(1)}), ("info", {"snoozed_until": NOW - timedelta(1)}),
        ("critical", {"state": "acknowledged", "acknowledged_by": ada}), ("critical", {"state": "resolved"}),
    ]  # fmt: skip
    for place, (severity, given) in enumerate(made):
        fields: dict[str, Any] = {"state": "open", "rule": rule, "kind": rule.kind, "severity": severity, **given}
        Alert.objects.create(subject=f"s{place}", title="t", pending_since=NOW, opened_at=NOW, **fields)
    waiting, taken = waiting_and_taken(NOW, 9)
    expected = set(Alert.objects.waiting(NOW))
    assert waiting == [alert for alert in Alert.objects.shown().by_urgency() if alert in expected]
    assert (count_waiting(NOW), taken) == (len(expected), Alert.objects.shown().count() - len(expected)) == (4, 3)
    with CaptureQueriesContext(connection) as asked:
        assert [alert.told() for alert in waiting]
    assert not asked


def test_pairs_against_an_api_are_the_pairs_that_count_of_both_sides() -> None:
    own, api = DeploymentFactory.create(slug="own", provider="self"), DeploymentFactory.create(slug="api", provider="a")
    other = DeploymentFactory.create(slug="other", provider="b")
    unused = TrialFactory.create(candidate=own, used_in_break_even=False)
    for candidate, baseline, fields in (
        (own, api, {"outcome": "candidate", "prompt_digest": "p"}),
        (own, api, {"outcome": "tie", "prompt_digest": "p"}),
        (api, own, {"outcome": "candidate", "task": "qa"}), (own, api, {"outcome": ""}),
        (own, other, {"outcome": "tie", "disputed": True}), (api, other, {"outcome": "tie"}),
        (own, api, {"outcome": "baseline", "trial_id": unused.pk}),
    ):  # fmt: skip
        PairFactory.create(candidate=candidate, baseline=baseline, **fields)
    plain, apart = own_against_api(), [row for row in results() if row.candidate == own]
    for name in ("wins", "ties", "losses", "both_bad", "disputed", "waiting"):
        assert getattr(plain, name) == sum(getattr(row, name) for row in apart), name
    assert (plain.wins, plain.ties, plain.losses, plain.disputed, plain.waiting) == (0, 2, 1, 1, 1)
    assert own_against_api("qa").pairs == 1 and own_against_api(applications=[-1]).pairs == 0


def test_the_person_of_a_session_comes_with_zone_and_roles_in_one_statement() -> None:
    ada = User.objects.create_user("ada")
    ada.groups.set([Group.objects.create(name="readers"), Group.objects.create(name="writers")])
    Preference.objects.create(person=ada, timezone="Europe/Berlin")
    bob = User.objects.create_user("bob")
    with CaptureQueriesContext(connection) as asked:
        read: list[Any] = [PasswordBackend().get_user(person.pk) for person in (ada, bob)]
    assert len(asked) == 2
    assert [(row.reader_zone, row.role_names) for row in read] == [("Europe/Berlin", ["readers", "writers"]), ("", [])]
    assert values(read[0]) == values(User.objects.get(pk=ada.pk))
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert PasswordBackend().get_user(bob.pk) is None and PasswordBackend().get_user(0) is None


def test_a_price_of_which_there_is_one_version_does_not_vary() -> None:
    TokenPriceFactory.create(provider="a", model="m", uncached_input=1, output=1, starts_at=NOW)
    assert not ListPrices.of(["m"]).varies("a", "m")
    TokenPriceFactory.create(provider="a", model="m", uncached_input=1, output=1, starts_at=NOW + timedelta(1))
    prices = ListPrices.of(["m"])
    assert prices.varies("a", "m") and prices.versions["a", "m"] == list(TokenPrice.objects.order_by("-starts_at"))
