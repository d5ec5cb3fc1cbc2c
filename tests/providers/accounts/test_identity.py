"""The same account twice: refused at saving by what the vendor reports of itself, and a key that changed hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts.context.evaluation import EvaluationContext
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding
from lib.encryption import encrypt
from providers.audit.log import AuditEntry
from providers.models import Account, Feed, Lease, VendorCost, VendorUsage
from providers.polling import due
from providers.polling.services import poll
from sandbox.testing import Sandbox, running_sandbox
from tests.factories import AccountFactory
from tests.providers.people import in_role, text

pytestmark = pytest.mark.django_db
LIST = "/settings/accounts/"
DAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=2)
SPAN = {"from": (DAY - timedelta(days=3)).isoformat(), "to": None, "status": "RUNNING"}
POD = {"id": "pod1", "name": "one", "price_per_hour": "0.5", "disk_per_hour": "0.01", "spans": [SPAN]}
USED = {
    "hour": DAY.isoformat(), "model": "claude-sonnet-5-5", "workspace": "wrkspc_1", "api_key": "apikey_1",
    "requests": 4, "tokens": {"output": 200}, "cost": {"output": "1"},
}  # fmt: skip
GPUS = {"runpod": "NVIDIA L4", "vast": "RTX 4090", "lambda": "gpu_1x_a10", "google": "nvidia-tesla-t4"}


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        for vendor, gpu in GPUS.items():
            table = "pods" if vendor == "runpod" else "instances"
            sandbox.load(vendor, {table: [POD | {"id": "1", "gpu": gpu}]})
        sandbox.load("anthropic", {"usage": [USED]})
        yield sandbox


def stored(vendors: Sandbox, kind: str, slug: str = "", **more: Any) -> Account:
    """An account at the sandbox, saved without a test."""
    config = vendors.config(kind)
    values = {"base_url": config.base_url, "local": True, "settings": dict(config.settings)} | more
    made = AccountFactory.create(
        slug=slug or kind, name=slug.title() or kind.title(), kind=kind, secret=encrypt(config.secret), **values
    )
    made.refresh_from_db()
    due.ensure_feeds(made, timezone.now())
    return made


def read(account: Account, *kinds: str) -> list[bool]:
    """Poll the account's feeds, or these alone, at once."""
    feeds = due.claim(timezone.now(), account=Account.objects.get(pk=account.pk))
    done = [poll(feed) for feed in feeds if not kinds or feed.kind in kinds]
    for feed in feeds:
        due.give_back(feed)
    account.refresh_from_db()
    return done


def form(vendors: Sandbox, kind: str, **more: Any) -> dict[str, Any]:
    config = vendors.config(kind)
    every = {f"every_{feed}": "240" for feed in ("offers", "leases", "costs", "balance", "usage", "names", "payments")}
    options = {f"option_{name}": value for name, value in config.settings.items()}
    data = {"name": "Second", "base_url": config.base_url, "local": "on", "secret": config.secret, "action": "save"}
    return data | every | options | more


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("kind", ["anthropic", "runpod", "vast", "lambda", "google"])
def test_an_account_that_is_here_already_is_refused_with_its_name(kind: str, enabled: bool, vendors: Sandbox) -> None:
    first = stored(vendors, kind)
    assert all(read(first))
    Account.objects.filter(pk=first.pk).update(enabled=enabled)
    admin = in_role("admin")
    for action, status in (("test", 200), ("save", 422)):
        response = admin.post(f"{LIST}add/{kind}/", form(vendors, kind, action=action))
        page = " ".join(response.content.decode().split())
        assert response.status_code == status
        link = f'This account exists as <a href="{LIST}{kind}/">{kind.title()}</a>. Change its key there.'
        assert link in page, page[page.find("Test result") :][:600]
    assert Account.objects.count() == 1


def test_the_line_at_the_key_leads_to_the_account_that_has_it(vendors: Sandbox) -> None:
    first = stored(vendors, "runpod")
    assert all(read(first))
    Account.objects.filter(pk=first.pk).update(name="R <b>&")
    response = in_role("admin").post(f"{LIST}add/runpod/", form(vendors, "runpod", action="save"))
    page = " ".join(response.content.decode().split())
    link = f'This account exists as <a href="{LIST}runpod/">R &lt;b&gt;&amp;</a>. Change its key there.'
    assert f'id="id_secret_error"><span>{link}</span>' in page
    assert ": This account exists as R &lt;b&gt;&amp;. Change its key there.</a>" in page, "a link holds no other"


@pytest.mark.parametrize("kind", ["anthropic", "runpod", "vast", "lambda", "google"])
def test_an_account_that_is_here_already_is_refused_without_a_test_too(kind: str, vendors: Sandbox) -> None:
    assert all(read(stored(vendors, kind)))
    response = in_role("admin").post(f"{LIST}add/{kind}/", form(vendors, kind, action="untested"))
    assert response.status_code == 422 and Account.objects.count() == 1
    link = f'This account exists as <a href="{LIST}{kind}/">{kind.title()}</a>. Change its key there.'
    assert link in " ".join(response.content.decode().split())


def test_a_vendor_that_answers_takes_an_untested_account_with_its_owner(vendors: Sandbox) -> None:
    assert in_role("admin").post(f"{LIST}add/runpod/", form(vendors, "runpod", action="untested")).status_code == 302
    saved = Account.objects.get()
    assert (saved.identity, saved.unverified) == (["user user_sandbox"], {})


@pytest.mark.parametrize("kind", ["anthropic", "runpod", "vast", "lambda"])
def test_a_second_account_that_was_saved_while_its_vendor_was_down_is_switched_off_at_its_first_poll(
    kind: str, vendors: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    read(stored(vendors, kind))
    before = sums()
    vendors.fault(kind, "500")
    ops = in_role("admin")
    assert ops.post(f"{LIST}add/{kind}/", form(vendors, kind, action="untested")).status_code == 302
    second = Account.objects.get(name="Second")
    assert second.enabled and second.identity == []
    page = text(ops, f"{LIST}{second.slug}/")
    assert "Not verified" in page and f"another account may read the same data: {second.unverified['why']}" in page
    vendors.clear_faults()
    assert not any(read(second, "leases", "costs", "usage"))
    assert (second.enabled, second.disabled_reason) == (
        False, f"This account exists as {kind.title()}. Change its key there.",
    )  # fmt: skip
    assert sums() == before
    assert f"account_here_already account={second.slug} read_by={kind}" in caplog.text
    page = text(ops, f"{LIST}{second.slug}/")
    assert f'This account exists as <a href="{LIST}{kind}/">{kind.title()}</a>. Change its key there.' in page
    assert "<b>Second</b> is disabled because another account reads the same data." in page
    titles = [finding.title for finding in findings() if finding.crossed]
    assert titles == [f"Account added twice: Second is {kind.title()}, 0 rows are stored"]


def findings() -> list[Finding]:
    """What the rules about accounts say of those that are stored."""
    context = EvaluationContext(timezone.now())
    return [
        finding
        for name in ("late", "account")
        for finding in KINDS[name].evaluate(context, KINDS[name].read({}), frozenset())
    ]


def test_a_first_account_that_was_saved_while_its_vendor_was_down_is_verified_at_its_first_poll(
    vendors: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault("runpod", "500")
    in_role("admin").post(f"{LIST}add/runpod/", form(vendors, "runpod", action="untested"))
    saved = Account.objects.get()
    assert saved.unverified["why"] and "identity_unknown account=second" in caplog.text
    vendors.clear_faults()
    assert all(read(saved))
    assert (saved.enabled, saved.identity, saved.unverified) == (True, ["user user_sandbox"], {})
    assert "Not verified" not in text(in_role("manager"), f"{LIST}{saved.slug}/")


def test_an_account_that_is_verified_stays_so_while_its_vendor_is_down(vendors: Sandbox) -> None:
    first = stored(vendors, "runpod")
    assert all(read(first))
    vendors.fault("runpod", "500")
    assert not read(first, "leases")[0]
    assert (first.identity, first.unverified) == (["user user_sandbox"], {})


@pytest.mark.parametrize("kind", ["anthropic", "runpod", "vast"])
def test_another_organisation_at_the_same_vendor_is_taken(kind: str, vendors: Sandbox) -> None:
    assert all(read(stored(vendors, kind)))
    vendors.belongs_to(kind, "somebody_else")
    assert in_role("admin").post(f"{LIST}add/{kind}/", form(vendors, kind)).status_code == 302
    first, second = Account.objects.order_by("pk").values_list("identity", flat=True)
    assert first and second and first != second and second[0].endswith("somebody_else")


def test_an_account_of_before_learns_whose_it_is_at_its_next_poll(vendors: Sandbox) -> None:
    account = stored(vendors, "anthropic")
    assert account.identity == []
    read(account, "costs")
    assert account.identity == ["organization org_sandbox"]
    assert {*VendorCost.objects.values_list("origin", flat=True)} == {"anthropic/organization org_sandbox"}


def test_the_same_account_may_be_saved_again_with_a_new_name(vendors: Sandbox) -> None:
    read(stored(vendors, "runpod"))
    assert in_role("admin").post(f"{LIST}runpod/", form(vendors, "runpod")).status_code == 302
    assert Account.objects.get().name == "Second"


# A key that changed hands.


def test_nothing_of_a_key_that_changed_hands_is_stored(vendors: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    account = stored(vendors, "runpod")
    assert all(read(account))
    vendors.belongs_to("runpod", "user_2")
    vendors.load("runpod", {"pods": [POD | {"id": "theirs", "gpu": GPUS["runpod"]}], "replace": True})
    before = VendorCost.objects.count()
    assert read(account, "leases", "costs", "balance") == [False, False, False]
    assert (account.identity, account.new_identity) == (["user user_sandbox"], ["user user_2"])
    assert caplog.text.count("account_changed_hands account=runpod") == 1
    assert VendorCost.objects.count() == before and list(Lease.objects.values_list("external_id", "state")) == [
        ("1", "unknown")
    ]
    vendors.belongs_to("runpod", "user_sandbox")
    assert read(account, "leases") == [True]
    assert account.new_identity == []


def test_a_vendor_that_reports_nothing_of_itself_is_read_on(vendors: Sandbox) -> None:
    account = stored(vendors, "lambda")
    assert all(read(account))
    assert (account.identity, Lease.objects.get().state) == ([], "running")


def test_the_page_of_a_key_that_changed_hands_asks_and_makes_it_an_account_of_its_own(vendors: Sandbox) -> None:
    account = stored(vendors, "runpod")
    read(account)
    vendors.belongs_to("runpod", "user_2")
    read(account, "leases")
    page = text(in_role("manager"), f"{LIST}runpod/")
    assert "now belongs to another account at RunPod. Choose below which account to read." in page
    assert "user user_2, and no longer user user_sandbox" in page and "Read as a new account" not in page
    ops = in_role("ops")
    assert "Read as a new account" in text(ops, f"{LIST}runpod/")
    assert ops.post(f"{LIST}runpod/split/").status_code == 302
    old, new = Account.objects.order_by("pk")
    assert (old.enabled, old.secret.reveal(), old.new_identity) == (False, "", [])
    assert (new.slug, new.identity, new.enabled) == ("runpod-2", ["user user_2"], True)
    assert {entry.object_id for entry in AuditEntry.objects.filter(object_type="providers.account")} == {
        str(old.pk), str(new.pk)
    }  # fmt: skip
    assert in_role("ops2").post(f"{LIST}runpod/split/").status_code == 403


def test_an_account_that_is_read_twice_says_so_on_its_page(vendors: Sandbox) -> None:
    read(stored(vendors, "runpod"))
    VendorCost.objects.update(currency="EUR")
    read(stored(vendors, "runpod", "second"))
    page = text(in_role("manager"), f"{LIST}second/")
    assert "Another account reads the same data" in page
    assert f'Leases: 1 row was already read by <a href="{LIST}runpod/">Runpod</a> and is refused' in page
    link = f'<a href="{LIST}runpod/">Runpod</a>'
    assert f"The currencies differ: EUR of {link} stays, USD of Second is refused (pods/1/" in page
    assert "Another account reads the same data" not in text(in_role("staff_manager"), f"{LIST}runpod/", 403)


def test_a_just_saved_account_is_connected_and_not_silent(vendors: Sandbox) -> None:
    stored(vendors, "runpod", "second")
    page = text(in_role("manager"), f"{LIST}second/")
    assert "<b>Second</b> is connected. First data is being read…" in page
    assert "could not be read yet" not in page


def test_leases_of_a_switched_off_account_are_unknown_on_every_page(vendors: Sandbox) -> None:
    account = stored(vendors, "runpod")
    read(account)
    ops = in_role("ops")
    lease = Lease.objects.get()
    assert ops.post(f"{LIST}runpod/disable/").status_code == 302
    assert "would save" not in text(ops, "/providers/"), "nobody knows whether the dearer one runs"
    for url in ("/providers/", "/providers/leases/", f"/providers/leases/{lease.pk}/"):
        page = text(ops, url)
        assert "unknown" in page and " since " in page, url
        assert "Rent now" not in page and "an hour</b>, $" not in page, url
    row = ops.get("/api/v1/leases").json()["items"][0]
    assert (row["state"], row["month_end"], row["ended_at"]) == ("unknown", None, None)
    assert row["reported_at"]
    assert not Lease.objects.reported().exists()
    ops.post(f"{LIST}runpod/enable/")
    read(account, "leases")
    assert Lease.objects.get().state == "running"


# Rows that another account has brought.


def sums() -> tuple[int, int, int, Decimal]:
    total = sum(VendorCost.objects.values_list("amount", flat=True), Decimal(0))
    return Lease.objects.count(), VendorCost.objects.count(), VendorUsage.objects.count(), total


@pytest.mark.parametrize("kind", ["anthropic", "runpod", "vast", "lambda", "google"])
def test_what_another_account_brought_is_refused_and_no_sum_changes(
    kind: str, vendors: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    read(stored(vendors, kind))
    before = sums()
    assert before[:3] != (0, 0, 0)
    second = stored(vendors, kind, "second")
    assert all(read(second))
    assert sums() == before
    refused = Feed.objects.exclude(refused={})
    assert {feed.account.slug for feed in refused} == {"second"}
    assert {feed.refused["account"] for feed in refused} == {kind}
    assert "rows_refused" in caplog.text and f"brought_by={kind}" in caplog.text


def test_a_switched_off_account_keeps_what_it_brought(vendors: Sandbox) -> None:
    first = stored(vendors, "runpod")
    read(first)
    Account.objects.filter(pk=first.pk).update(enabled=False)
    before = sums()
    read(stored(vendors, "runpod", "second"))
    assert sums() == before and not Lease.objects.filter(account__slug="second").exists()


def test_a_line_in_another_currency_stays_as_it_came_first(vendors: Sandbox) -> None:
    read(stored(vendors, "runpod"), "costs")
    VendorCost.objects.update(currency="EUR")
    second = stored(vendors, "runpod", "second")
    read(second, "costs")
    assert {*VendorCost.objects.values_list("currency", flat=True)} == {"EUR"}
    line, kept, refused = second.feeds.get(kind="costs").refused["examples"][0]
    assert line.startswith("pods/1/") and (kept, refused) == ("EUR", "USD")


def test_the_database_itself_refuses_a_second_account(vendors: Sandbox) -> None:
    read(stored(vendors, "runpod"))
    read(stored(vendors, "anthropic"))
    other = stored(vendors, "runpod", "second")
    for model in (Lease, VendorCost, VendorUsage):
        row: Any = model.objects.exclude(origin="").first()
        row.pk, row.account = None, other
        with pytest.raises(IntegrityError, match="one_account_of_a"), transaction.atomic():
            row.save(force_insert=True)


def test_two_organisations_may_have_lines_of_one_name(vendors: Sandbox) -> None:
    """Claude's lines are named by day, workspace and model: two organisations have the same."""
    read(stored(vendors, "anthropic"))
    once = sums()
    vendors.belongs_to("anthropic", "org_2")
    read(stored(vendors, "anthropic", "second"))
    assert sums()[1] == once[1] * 2
    assert "Second" in text(in_role("manager"), f"{LIST}second/")
