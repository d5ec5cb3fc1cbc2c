"""Whatever a vendor or an address does wrong: a sentence in `last_error`, the last good data kept and shown as old."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from lib.encryption import encrypt
from lib.netguard import Deadline
from providers import urls
from providers.accounts.freshness import account_now
from providers.connectors import http as connector_http
from providers.connectors.parse import redact
from providers.models import Account, Feed, VendorCost, VendorUsage
from providers.polling import due, services
from providers.polling.services import poll
from sandbox.faults import BROKEN, KINDS
from sandbox.testing import SIMULATED, Sandbox, running_sandbox
from tests.factories import AccountFactory
from tests.providers.answers import trickling
from tests.providers.people import in_role, text

pytestmark = pytest.mark.django_db
# Left out: what takes seconds, which the contract's test has, and what is a good answer.
WRONG = [kind for kind in KINDS if kind not in ("timeout", "slow", "moved", "vanish", "sold_out", "revised")]
KEPT = "The last good figures are shown and marked as old"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Of each test its own: to read a whole year takes so many calls that several together pass Claude's rate limit."""
    hour = (datetime.now(UTC) - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    used = {"hour": hour.isoformat(), "model": "claude-sonnet-5-5", "workspace": "wrkspc_1", "api_key": "apikey_1"}
    with running_sandbox() as running:
        running.load("anthropic", {"usage": [used | {"tokens": {"output": 200}, "cost": {"output": "1"}}]})
        yield running


def account(sandbox: Sandbox, kind: str) -> Account:
    config = sandbox.config(kind)
    made = AccountFactory.create(
        slug=kind,
        name=kind.title(),
        kind=kind,
        base_url=config.base_url,
        local=True,
        secret=encrypt(config.secret),
        settings=config.settings,
    )
    made.refresh_from_db()
    due.ensure_feeds(made, timezone.now())
    return made


@pytest.fixture
def claude(sandbox: Sandbox) -> Account:
    """An account whose usage and bill have been read once."""
    made = account(sandbox, "anthropic")
    assert all(poll(feed) for feed in due.claim(timezone.now())), list(Feed.objects.values_list("kind", "last_error"))
    assert (VendorUsage.objects.count(), VendorCost.objects.count()) == (1, 1)
    return made


def read_again(made: Account) -> Feed:
    """Its bill is due and is read; the feed as it stands then."""
    Feed.objects.filter(account=made, kind="costs").update(due_at=timezone.now())
    (feed,) = due.claim(timezone.now())
    assert not poll(feed)
    feed.refresh_from_db()
    return feed


def assert_kept_and_old(made: Account, feed: Feed) -> None:
    assert feed.last_error[-1] in ".!?…" and len(feed.last_error.split()) >= 4
    assert (VendorUsage.objects.count(), VendorCost.objects.count()) == (1, 1)
    later = timezone.now() + timedelta(hours=2)
    now = account_now(Account.objects.with_feeds().get(pk=made.pk), later).feed("costs")
    assert now is not None and now.old and now.feed.last_success_at is not None


@pytest.mark.parametrize("fault", WRONG)
def test_a_bill_that_cannot_be_read_leaves_the_last_one(
    claude: Account, sandbox: Sandbox, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_http, "MOST_PAGES", 5)
    sandbox.fault("anthropic", fault)
    assert_kept_and_old(claude, read_again(claude))


BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n"


@pytest.mark.parametrize(("start", "drop"), [(b"", b"H"), (BEGUN, b" ")], ids=["status", "body"])
def test_a_vendor_that_trickles_bytes_ends_in_time(
    claude: Account, monkeypatch: pytest.MonkeyPatch, start: bytes, drop: bytes
) -> None:
    """By the SDK too: no byte comes later than a time-out allows, and the poll ends all the same."""
    monkeypatch.setattr(services, "Deadline", lambda _seconds: Deadline(0.5))
    with trickling(start, drop) as url:
        Account.objects.filter(pk=claude.pk).update(base_url=url)
        feed = read_again(claude)
    assert feed.last_error == "Claude did not finish its response within 0.5 s."
    assert_kept_and_old(claude, feed)


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("file:///etc/passwd", "must begin with https"),
        ("http://api.example.org", "is not encrypted"),
        ("https://10.1.2.3", "private address"),
        ("https://127.0.0.1:9", "private address"),
        ("https://[fd00::1]", "private address"),
        ("https://169.254.169.254", "link-local"),
        ("https://user:word@example.org", "user name or a password"),
    ],
)
def test_an_address_where_we_do_not_go_is_said(claude: Account, base_url: str, words: str) -> None:
    Account.objects.filter(pk=claude.pk).update(base_url=base_url, local=False)
    feed = read_again(claude)
    assert words in feed.last_error
    assert_kept_and_old(claude, feed)


def test_a_name_that_has_moved_inside_is_refused_at_the_next_poll(
    claude: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding between two polls; within one, the address is judged once and then held."""
    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host != "rebound.example":
            return list(real(host, port, *args, **options))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    Account.objects.filter(pk=claude.pk).update(base_url="https://rebound.example", local=False)
    feed = read_again(claude)
    assert "private address 10.0.0.7" in feed.last_error
    assert_kept_and_old(claude, feed)


def test_the_account_page_says_what_is_wrong_and_how_old_its_figures_are(claude: Account, sandbox: Sandbox) -> None:
    sandbox.fault("anthropic", "currency")
    error = read_again(claude).last_error
    assert "an amount in EUR, not in USD" in error
    Feed.objects.filter(account=claude).update(last_success_at=timezone.now() - timedelta(hours=3))
    page = text(in_role("ops"), "/settings/accounts/anthropic/")
    assert error in page and KEPT in page and "3 h ago" in page


PAGES = ("/alerts/", "/settings/accounts/", "/settings/audit/")


@pytest.mark.parametrize("kind", sorted(SIMULATED))
def test_no_log_record_no_error_and_no_page_holds_a_key(
    kind: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every fault, everything logged at its finest, and whatever an admin can open about it."""
    caplog.set_level(logging.DEBUG)
    logging.disable(logging.NOTSET)
    made, secret = account(sandbox, kind), sandbox.config(kind).secret
    for fault in BROKEN:
        if fault not in ("timeout", "huge"):
            sandbox.fault(kind, fault)
            Account.objects.filter(pk=made.pk).update(enabled=True)
            assert not any(poll(feed) for feed in due.claim(timezone.now(), account=made))
    sandbox.clear_faults()
    shown = [repr(made), repr(made.secret), *Feed.objects.values_list("last_error", flat=True)]
    admin = in_role("admin")
    for url in [*PAGES, *own_pages(), f"/settings/accounts/{kind}/"]:
        response = admin.get(url)
        assert response.status_code in (200, 302), url
        shown.append(response.content.decode(errors="replace"))
    shown += [record.getMessage() + repr(record.args) + repr(record.exc_info) for record in caplog.records]
    seen = "".join([*shown, *capsys.readouterr()])
    assert len(caplog.records) > len(BROKEN), "something is logged at all"
    assert "[key]" not in redact(seen.replace("[key]", ""), secret)


def own_pages() -> list[str]:
    """The pages of this app that need no word in their address."""
    found = []
    for pattern in urls.urlpatterns:
        try:
            found.append(reverse(f"{urls.app_name}:{pattern.name}"))
        except NoReverseMatch:
            continue
    return found
