"""A machine's cost is shared by tokens or by time; idle time is a line of its own; every grouping adds up exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costs import ledger
from costs.models import Charge, Sharing
from costs.spend import IDLE, spend
from providers.models import Account, Deployment, Feed, Lease, LeaseSpan, VendorCost
from traffic.models import Application, UsageDay, UsageHour

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = TODAY - timedelta(days=2)
HOUR_US = 3_600_000_000
GROUPS = ("provider", "model", "application", "owner", "task", "category", "day", "month", "provenance", "deployment")


def usage(table: Any, **given: Any) -> None:
    zero = {field.name: 0 for field in table._meta.concrete_fields if field.name not in ("application", "deployment")}
    key = {"application_id": 0, "deployment_id": 0, "provider": "self", "model": "mistral", "task": "rag"}
    table.objects.create(**{**zero, **key, "requests": 1, **given})


@pytest.fixture
def own(db: None) -> Deployment:
    """A deployment on a pod that ran two hours at 1 USD."""
    account = Account.objects.create(slug="runpod", name="RunPod", kind="runpod")
    pod = Lease.objects.create(
        account=account, external_id="p1", gpu="RTX 4090", price_per_hour=1, started_at=DAY, seen_at=DAY
    )
    LeaseSpan.objects.create(
        lease=pod, starts_at=DAY, ends_at=DAY + timedelta(hours=2), state="running", price_per_hour=1
    )
    for slug in ("shop", "docs"):
        Application.objects.create(slug=slug, name=slug)
    return Deployment.objects.create(slug="own", name="Own", provider="self", engine="vllm", url="http://x", lease=pod)


def used(own: Deployment, slug: str, hour: int, tokens: int, busy: float) -> None:
    """Requests of an application in an hour: their tokens, and their seconds as a share of the hour."""
    given = {"application_id": Application.objects.get(slug=slug).pk, "deployment_id": own.pk}
    usage(UsageHour, hour=DAY + timedelta(hours=hour), output=tokens, latency_us=int(HOUR_US * busy), **given)


def by(group_by: Any) -> dict[str | None, Decimal]:
    return {group.key: group.amount for group in spend(DAY.date(), TODAY.date(), group_by).groups}


def test_by_time_an_hour_is_shared_by_seconds_and_what_is_left_of_it_is_idle(own: Deployment) -> None:
    used(own, "shop", 0, tokens=900, busy=0.25)
    used(own, "docs", 0, tokens=100, busy=0.25)
    used(own, "docs", 1, tokens=100, busy=4)  # side by side: the whole hour and no more
    ledger.post()
    assert by("application") == {"docs": Decimal("1.1"), "shop": Decimal("0.9")}
    Sharing.objects.create(starts_on=DAY.date(), by="time")
    assert by("application") == {"docs": Decimal("1.25"), "shop": Decimal("0.25"), None: Decimal("0.5")}
    assert by("category") == {"gpu": Decimal("1.5"), IDLE: Decimal("0.5")}
    assert sum(by("provider").values()) == 2


def test_a_choice_holds_from_its_day_on_and_leaves_earlier_days_as_they_were(own: Deployment) -> None:
    used(own, "shop", 0, tokens=900, busy=0.25)
    ledger.post()
    before = by("application")
    Sharing.objects.create(starts_on=TODAY.date(), by="time")
    assert by("application") == before == {"shop": Decimal(1), None: Decimal(1)}


def test_an_entered_charge_of_an_application_is_its_own_and_not_divided(own: Deployment) -> None:
    shop = Application.objects.get(slug="shop")
    Charge.objects.create(
        key="entered:1", provider="self", day=DAY.date(), starts_at=DAY, ends_at=DAY, category="subscription",
        provenance="entered", amount=7, original_amount=7, application=shop, task="rag",
    )  # fmt: skip
    assert by("application") == {"shop": Decimal(7)}
    assert by("task") == {"rag": Decimal(7)}


AMOUNT = st.decimals("0.000000000001", "999", places=12)
USE = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 10**7), st.integers(0, 2 * HOUR_US)))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["tokens", "time"]),
    USE,
    st.lists(st.tuples(st.sampled_from(["billed", "entered"]), AMOUNT, st.booleans()), max_size=4),
    st.lists(st.tuples(st.integers(0, 2), AMOUNT), max_size=3, unique_by=lambda one: one[0]),
)
def test_the_ledger_is_the_sum_of_its_parts_in_every_grouping(
    own: Deployment, how: str, uses: list[Any], charges: list[Any], measured: list[Any]
) -> None:
    with transaction.atomic():
        fill(own, how, uses, charges, measured)
        counting = Decimal(2) + sum(amount for kind, amount, _ in charges if kind == "entered")
        # A day that its bill holds is billed; nothing of it is measured.
        counting += sum(amount for kind, amount, _ in charges if kind == "billed")
        for group_by in GROUPS:
            found = spend(DAY.date(), TODAY.date(), group_by)  # type: ignore[arg-type]
            assert found.total == counting
            assert sum(group.amount for group in found.groups) == found.total == sum(found.provenance.values())
            assert all(sum(group.provenance.values()) == group.amount for group in found.groups)
        transaction.set_rollback(True)


def fill(own: Deployment, how: str, uses: list[Any], charges: list[Any], measured: list[Any]) -> None:
    shop, docs = Application.objects.order_by("-slug")
    Sharing.objects.create(starts_on=date(2020, 1, 1), by=how)
    whose = (0, shop.pk, docs.pk)
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    for who, hour, tokens, busy in uses:
        before = seen.get((who, hour), (0, 0))
        seen[who, hour] = (before[0] + tokens, before[1] + busy)
    for (who, hour), (tokens, busy) in seen.items():
        given = {"application_id": whose[who], "deployment_id": own.pk, "output": tokens, "latency_us": busy}
        usage(UsageHour, hour=DAY + timedelta(hours=hour), **given)
    for who, cost in measured:
        usage(UsageDay, day=DAY.date(), provider="anthropic", model="m", application_id=whose[who], cost=cost)
    claude = Account.objects.create(slug="claude", name="Claude", kind="anthropic")
    Feed.objects.create(account=claude, kind="costs", every_s=60, due_at=TODAY, complete_until=TODAY)
    for number, (kind, amount, told) in enumerate(charges):
        if kind == "billed":
            VendorCost.objects.create(
                account=claude, external_id=str(number), starts_at=DAY, ends_at=DAY, category="tokens", amount=amount,
                original_amount=amount, model="m" if told else "other",
            )  # fmt: skip
        else:
            Charge.objects.create(
                key=f"entered:{number}", provider="self", day=DAY.date(), starts_at=DAY, ends_at=DAY, category="vm",
                provenance="entered", amount=amount, original_amount=amount, application=shop if told else None,
            )  # fmt: skip
    ledger.post()


def test_a_day_is_divided_once_until_a_row_behind_it_moves(own: Deployment) -> None:
    """Not even a request that moves to another hour, which leaves the sums of its day alone, goes unseen."""
    used(own, "shop", 0, tokens=900, busy=0.25)
    used(own, "docs", 0, tokens=100, busy=0.25)
    docs = {"application_id": Application.objects.get(slug="docs").pk, "deployment_id": own.pk}
    usage(UsageDay, day=DAY.date(), output=100, **docs)
    ledger.post()
    before = by("application")
    assert before == {"shop": Decimal("0.9"), "docs": Decimal("0.1"), None: Decimal(1)}
    with CaptureQueriesContext(connection) as again:
        assert by("application") == before
    assert not any("traffic_usage_hour" in query["sql"] for query in again)
    UsageHour.objects.filter(application_id=docs["application_id"]).update(hour=DAY + timedelta(hours=1))
    UsageDay.objects.filter(application_id=docs["application_id"]).update(output=100)
    assert by("application") == {"shop": Decimal(1), "docs": Decimal(1)}
