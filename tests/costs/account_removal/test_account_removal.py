"""An account has an end: what goes is shown first, its name is asked for, and for a day it can be brought back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from costs.account_removal.page import RemovalPage
from costs.account_removal.services import Brought, brought
from costs.ledger.posting import differences, post
from costs.models import Charge
from lib.encryption import encrypt
from providers.audit.log import AuditEntry
from providers.models import Account, Deployment, Feed, Lease, LeaseSpan, RemovedAccount, VendorCost, VendorUsage
from providers.polling import due
from providers.polling.services import poll
from providers.uptime.retention import purge_deleted
from sandbox.testing import Sandbox, running_sandbox
from tests.factories import AccountFactory, DeploymentFactory, VendorCostFactory
from tests.providers.people import assert_access, in_role, text

pytestmark = pytest.mark.django_db
LIST = "/settings/accounts/"
URL = f"{LIST}runpod/remove/"
DAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=2)
SPAN = {"from": (DAY - timedelta(days=3)).isoformat(), "to": None, "status": "RUNNING"}
POD = {"id": "1", "name": "one", "gpu": "NVIDIA L4", "price_per_hour": "0.5", "disk_per_hour": "0.01", "spans": [SPAN]}
BROUGHT = (Account, Feed, Lease, LeaseSpan, VendorCost, VendorUsage)


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        sandbox.load("runpod", {"pods": [POD], "balance": 20})
        yield sandbox


@pytest.fixture
def account(vendors: Sandbox) -> Account:
    """An account that was read, posted, and serves a deployment; another one stands beside it."""
    VendorCostFactory.create(
        account=AccountFactory.create(slug="claude", name="Claude"), external_id="1", category="tokens", amount=7,
        original_amount=7, starts_at=DAY, ends_at=DAY + timedelta(days=1),
    )  # fmt: skip
    config = vendors.config("runpod")
    made = AccountFactory.create(
        slug="runpod", name="RunPod", kind="runpod", secret=encrypt(config.secret), base_url=config.base_url, local=True
    )
    made.refresh_from_db()
    due.ensure_feeds(made, timezone.now())
    assert all(poll(feed) for feed in due.claim(timezone.now(), account=made))
    DeploymentFactory.create(name="Our llama", lease=Lease.objects.get())
    post()
    return made


def rows() -> dict[str, list[Any]]:
    """Everything that an account brings, as it stands."""
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in BROUGHT}


def ledger() -> list[Any]:
    return list(Charge.objects.order_by("key").values_list("key", "account", "lease", "amount", "day"))


def test_who_may_remove(account: Account) -> None:
    assert_access(URL, {"nobody": 403, "staff": 403, "manager": 403, "ops": 200, "admin": 200})


def test_who_may_bring_it_back() -> None:
    assert_access(f"{LIST}removed/1/restore/", {"nobody": 403, "manager": 403, "ops": 404}, "post")


def test_the_page_shows_first_what_goes_and_what_stays(account: Account) -> None:
    page = text(in_role("ops"), URL)
    lines = VendorCost.objects.filter(account=account).count()
    billed = sum(VendorCost.objects.filter(account=account).values_list("amount", flat=True))
    shown = RemovalPage(account, brought(account)).billed
    assert abs(shown - billed) <= Decimal("0.01"), "its days may lie in two months"
    assert f"Removing <b>RunPod</b> removes <b>${shown:.2f}</b> of billed cost (" in page
    assert "They count only for days that no bill covers yet." in page
    assert f"(leases: 1, bill lines: {lines}, usage rows: 0)" in page
    assert f"{DAY:%B %Y}" in page and "Deployments on its leases, with their checks: Our llama." in page
    assert "To keep its figures, disable the account instead." in page
    assert "Remove account and its data" in text(in_role("admin"), f"{LIST}runpod/")


def test_the_sums_of_the_sentence_are_those_of_the_table() -> None:
    months: list[Any] = [(DAY, Decimal("3.564"), Decimal("2.554")), (DAY, Decimal("2.834"), None)]
    page = RemovalPage(Account(name="Vast.ai"), Brought(2, 24, 0, months, 0, []))
    assert (page.billed, page.estimated) == (Decimal("6.39"), Decimal("2.55")), "3.56 and 2.83 of the rows"


def test_it_goes_only_by_its_name(account: Account) -> None:
    ops = in_role("ops")
    for name in ("", "runpod", "Claude"):
        assert ops.post(URL, {"name": name}).status_code == 422
    assert Account.objects.count() == 2


def test_what_it_brought_goes_with_it_and_nothing_else(account: Account) -> None:
    assert in_role("ops").post(URL, {"name": "RunPod"}).status_code == 302
    left = rows()
    assert [row["slug"] for row in left["Account"]] == ["claude"] and len(left["VendorCost"]) == 1
    assert not left["Lease"] and not left["LeaseSpan"] and not left["Feed"]
    assert Deployment.objects.get().lease_id is None
    assert list(Charge.objects.values_list("provider", flat=True)) == ["anthropic"]
    assert differences() == []
    entry = AuditEntry.objects.get(action="deleted", object_type="providers.account")
    assert (entry.object_name, entry.actor) == ("RunPod", "ops") and entry.message.startswith("Removed with its data")


def test_for_a_day_it_can_be_brought_back_to_the_last_digit(account: Account) -> None:
    before, lines, ops = rows(), ledger(), in_role("ops")
    ops.post(URL, {"name": "RunPod"})
    assert "Restore account" in text(ops, LIST)
    removed = RemovedAccount.objects.get()
    assert account.secret.reveal().encode() not in bytes(removed.content)
    assert ops.post(f"{LIST}removed/{removed.pk}/restore/").status_code == 302
    assert rows() == before and ledger() == lines
    assert Deployment.objects.get().lease is not None and not RemovedAccount.objects.exists()
    assert AuditEntry.objects.filter(action="added", message="Restored with its data.").count() == 1


def test_a_day_later_it_is_gone_for_good(account: Account) -> None:
    in_role("ops").post(URL, {"name": "RunPod"})
    purge_deleted(timezone.now() + timedelta(hours=23))
    assert RemovedAccount.objects.exists()
    purge_deleted(timezone.now() + timedelta(hours=25))
    assert not RemovedAccount.objects.exists()


def test_it_does_not_come_back_beside_another_one_that_brought_the_same(account: Account) -> None:
    ops = in_role("ops")
    ops.post(URL, {"name": "RunPod"})
    taken = AccountFactory.create(slug="runpod-2", kind="runpod")
    Lease.objects.create(account=taken, external_id="1", origin="runpod", price_per_hour=1, started_at=DAY, seen_at=DAY)
    before = rows()
    page = ops.post(f"{LIST}removed/{RemovedAccount.objects.get().pk}/restore/", follow=True).content.decode()
    assert "cannot be restored" in page
    assert rows() == before and RemovedAccount.objects.exists()
