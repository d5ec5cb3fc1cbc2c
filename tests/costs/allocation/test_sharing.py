"""A machine's cost is shared by tokens or by time; idle time is a line of its own; every grouping adds up exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costs.allocation.queries import FINE, GroupBy, read, spend
from costs.charges.corrections import correct
from costs.ledger import posting as ledger
from costs.ledger.page import ledger_rows
from costs.models import BillImport, Charge, Sharing
from costs.models.ledger import IDLE
from costs.statements.queries import By, statements
from lib.money import CENT
from providers.models import Account, Deployment
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    ChargeFactory,
    DeploymentFactory,
    FeedFactory,
    LeaseFactory,
    LeaseSpanFactory,
    VendorCostFactory,
)
from traffic.models import Application, UsageDay, UsageHour

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = TODAY - timedelta(days=2)
HOUR_US = 3_600_000_000


def usage(table: Any, **given: Any) -> None:
    zero = {field.name: 0 for field in table._meta.concrete_fields if field.name not in ("application", "deployment")}
    key = {"application_id": 0, "deployment_id": 0, "provider": "self", "model": "mistral", "task": "rag"}
    table.objects.create(**{**zero, **key, "requests": 1, **given})


@pytest.fixture
def own(db: None) -> Deployment:
    """A deployment on a pod that ran two hours at 1 USD."""
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    pod = LeaseFactory.create(account=account, external_id="p1", started_at=DAY, seen_at=DAY)
    LeaseSpanFactory.create(lease=pod, starts_at=DAY, ends_at=DAY + timedelta(hours=2), price_per_hour=1)
    for slug in ("shop", "docs"):
        ApplicationFactory.create(slug=slug)
    return DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=pod)


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
    ChargeFactory.create(
        key="entered:1", provider="self", day=DAY.date(), starts_at=DAY, ends_at=DAY, category="subscription",
        provenance="entered", amount=7, original_amount=7, application=shop, task="rag",
    )  # fmt: skip
    assert by("application") == {"shop": Decimal(7)}
    assert by("task") == {"rag": Decimal(7)}


AMOUNT = st.decimals("0.000000000001", "999", places=12)
EITHER_SIGN = st.decimals("-99", "999", places=12)
USE = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 10**7), st.integers(0, 2 * HOUR_US)))
WHO = st.integers(0, 2)
# Of each provider some requests, and on top of them what stands for them: nothing, an invoice or a bill's file.
STANDS_IN = st.fixed_dictionaries(
    {
        name: st.tuples(st.none() | st.sampled_from(["invoice", "file"]), EITHER_SIGN, WHO)
        for name in ("google", "bedrock")
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    how=st.sampled_from(["tokens", "time"]),
    uses=USE,
    bill=st.lists(st.tuples(st.sampled_from(["m", "other", ""]), EITHER_SIGN), max_size=3),
    pod_bill=st.none() | st.lists(st.tuples(st.sampled_from(["gpu", "disk", "credit"]), EITHER_SIGN), max_size=3),
    entered=st.lists(st.tuples(EITHER_SIGN, WHO, st.none() | EITHER_SIGN), max_size=3),
    measured=st.lists(
        st.tuples(st.sampled_from(["anthropic", "google", "bedrock"]), WHO, AMOUNT),
        max_size=4,
        unique_by=lambda one: one[:2],
    ),
    instead=STANDS_IN,
    asked=st.sampled_from(get_args(GroupBy)),
)
def test_the_ledger_is_the_sum_of_its_parts_in_every_grouping(own: Deployment, asked: GroupBy, **drawn: Any) -> None:
    """Over bills with credits, a lease as billed or by its hours, requests, invoices, files, charges, corrections."""
    with transaction.atomic():
        counting, month = fill(own, **drawn), DAY.date().replace(day=1)
        fine, coarse = (read(DAY.date(), TODAY.date(), divided) for divided in (True, False))
        ways = get_args(GroupBy)
        for found in (
            *(fine.by(way) for way in ways),
            *(coarse.by(way) for way in ways if way not in FINE),
            spend(DAY.date(), TODAY.date(), asked),
        ):
            assert found.total == counting
            assert sum(group.amount for group in found.groups) == found.total == sum(found.provenance.values())
            assert all(sum(group.provenance.values()) == group.amount for group in found.groups)
        assert sum(row.amount for row in ledger_rows(month)) == counting
        for way in get_args(By):
            stated = statements(month, way, TODAY.date())
            assert (stated.exact, stated.total) == (counting, counting.quantize(CENT))
        transaction.set_rollback(True)


def fill(
    own: Deployment, *, how: str, uses: Any, bill: Any, pod_bill: Any, entered: Any, measured: Any, instead: Any
) -> Decimal:
    """Write what was drawn; what must count of it, each provider by the one source that holds its day."""
    shop, docs = Application.objects.order_by("-slug")
    whose = (None, shop, docs)
    Sharing.objects.create(starts_on=date(2020, 1, 1), by=how)
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    for who, hour, tokens, busy in uses:
        before = seen.get((who, hour), (0, 0))
        seen[who, hour] = (before[0] + tokens, before[1] + busy)
    for (who, hour), (tokens, busy) in seen.items():
        given = {"application_id": id_of(whose[who]), "deployment_id": own.pk, "output": tokens, "latency_us": busy}
        usage(UsageHour, hour=DAY + timedelta(hours=hour), **given)
    for provider, who, cost in measured:
        usage(UsageDay, day=DAY.date(), provider=provider, model="m", application_id=id_of(whose[who]), cost=cost)
    counting = billed("anthropic", [("tokens", model, amount, "") for model, amount in bill])
    # A day that its bill holds is billed, and nothing of it is measured or estimated.
    counting += Decimal(2) if pod_bill is None else billed("runpod", [(kind, "", usd, "p1") for kind, usd in pod_bill])
    for amount, who, right in entered:
        charge = by_hand(amount, category="vm", provider="self", application=whose[who])
        if right is not None:
            correct(charge=charge, right=right, reason="wrong", user=None, today=DAY.date())
        counting += amount if right is None else right
    for provider, (kind, amount, who) in instead.items():
        if kind is None:
            counting += sum(cost for name, _who, cost in measured if name == provider)
            continue
        file = BillImport.objects.create(file_name="b", sha256=provider, content=b"", rows=1, amount=amount)
        more = {"category": "invoice"} if kind == "invoice" else {"category": "tokens", "bill_import": file}
        by_hand(amount, provider=provider, application=whose[who], invoice_month=f"{DAY:%Y-%m}", **more)
        counting += amount
    ledger.post()
    return counting


def id_of(application: Application | None) -> int:
    return application.pk if application else 0


def billed(kind: str, lines: list[tuple[str, str, Decimal, str]]) -> Decimal:
    """A vendor's whole bill of the day; its sum."""
    account, _made = Account.objects.get_or_create(slug=kind, defaults={"name": kind, "kind": kind})
    FeedFactory.create(account=account, every_s=60, due_at=TODAY, complete_until=TODAY)
    for number, (category, model, amount, resource) in enumerate(lines):
        VendorCostFactory.create(
            account=account, external_id=str(number), starts_at=DAY, ends_at=DAY + timedelta(hours=3), amount=amount,
            category=category, original_amount=amount, model=model, resource=resource,
        )  # fmt: skip
    return sum((line[2] for line in lines), Decimal(0))


def by_hand(amount: Decimal, **given: Any) -> Charge:
    return ChargeFactory.create(
        key=f"entered:{uuid4()}", day=DAY.date(), starts_at=DAY, ends_at=DAY, provenance="entered", amount=amount,
        original_amount=amount, **given,
    )  # fmt: skip


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
