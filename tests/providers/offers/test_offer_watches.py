"""What somebody waits for: from a row of the explorer to a mail, and back when the price has risen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.defaults import ensure_defaults
from alerts.delivery import outbox
from alerts.evaluation import services
from alerts.models import Alert
from lib.encryption import encrypt
from providers.audit.log import AuditEntry
from providers.models import Feed, Offer, OfferWatch
from providers.offers import WatchNow, fresh_of, sources, watches_now
from providers.polling.due import claim, ensure_feeds
from providers.polling.services import poll
from providers.uptime import retention
from sandbox import vast as played
from sandbox.catalog import VastHost
from sandbox.testing import Sandbox
from tests.alerts.smtp_server import Mailbox, port_of, started
from tests.factories import AccountFactory
from tests.providers.people import account, assert_access, in_role, offer, read, text
from tests.query_ceilings import ceiling

pytestmark = pytest.mark.django_db
URL, ADD = "/providers/offers/watches/", "/providers/offers/watches/add/"


@pytest.fixture
def ops() -> Client:
    return in_role("ops")


def watch(**more: Any) -> OfferWatch:
    return OfferWatch.objects.create(**{"gpu": "RTX 4090", "price": Decimal("0.30")} | more)


def now_of(one: OfferWatch) -> WatchNow:
    now = timezone.now()
    return watches_now([one], fresh_of(sources(now)), now)[0]


def test_watches_are_seen_by_who_sees_figures_and_set_by_ops() -> None:
    assert_access(URL, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})
    User.objects.all().delete()
    assert_access(ADD, {"nobody": 403, "staff": 403, "manager": 403, "ops": 200, "admin": 200})


def test_a_row_leads_to_a_watch_with_its_price_filled_in(ops: Client) -> None:
    account()
    offer(price_per_gpu_hour=Decimal("0.3405"), kind="spot")
    link = re.search(rf'href="({ADD}\?[^"]+)"', text(ops, "/providers/offers/"))
    assert link is not None
    page = text(ops, unescape(link[1]))
    assert 'name="price" value="0.3405"' in page
    assert '<option value="RTX 4090" selected>' in page and '<option value="spot" selected>' in page
    assert "/watches/add/" not in text(in_role("manager"), "/providers/offers/")


def test_a_watch_is_added_edited_removed_and_brought_back_with_an_audit_row_each(ops: Client) -> None:
    account()
    offer()
    assert "No watches" in text(ops, URL)
    form = {"gpu": "RTX 4090", "kind": "spot", "provider": "", "region": "EU", "reliability": "99.5", "price": "0.25"}
    assert ops.post(ADD, form).status_code == 302
    made = OfferWatch.objects.get()
    assert (str(made), made.region, made.min_reliability, made.price) == (
        "RTX 4090, spot", "EU", 0.995, Decimal("0.25")
    )  # fmt: skip
    url = f"{URL}{made.pk}/"
    page = text(ops, url)
    assert 'value="99.5"' in page and 'value="0.25"' in page
    ops.post(url, form | {"price": "0.20"})
    made.refresh_from_db()
    assert made.price == Decimal("0.20")
    removed = ops.post(f"{url}delete/", follow=True).content.decode()
    assert "No watches" in removed and f"{url}undo/" in removed
    assert ops.get(url).status_code == 404
    ops.post(f"{url}undo/")
    assert "1 watch" in text(ops, URL)
    log = list(AuditEntry.objects.order_by("pk"))
    assert [entry.action for entry in log] == ["added", "changed", "deleted", "changed"]
    assert all(entry.changes for entry in log[:2]) and log[3].message.startswith("Restored")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"price": "-1"}, "greater than or equal"),
        ({"price": "NaN"}, "Enter a number"),
        ({"price": ""}, "required"),
        ({"gpu": "Abacus"}, "not one of the available choices"),
        ({"kind": "barter"}, "not one of the available choices"),
        ({"reliability": "120"}, "less than or equal"),
        ({"region": "x" * 101}, "at most 100"),
    ],
)
def test_a_wrong_condition_is_said_at_its_field_and_saves_nothing(
    ops: Client, wrong: dict[str, str], told: str
) -> None:
    offer()
    answer = ops.post(ADD, {"gpu": "RTX 4090", "kind": "spot", "price": "0.30"} | wrong)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert not OfferWatch.objects.exists()


def test_every_condition_of_a_watch_counts() -> None:
    account()
    offer(1, kind="spot", region="EU-RO-1", reliability=0.99, price_per_gpu_hour=Decimal("0.10"))
    for met in ({}, {"kind": "spot"}, {"provider": "runpod"}, {"region": "eu-ro"}, {"min_reliability": 0.98}):
        assert now_of(watch(**met)).below, met
    for missed in ({"gpu": "H100"}, {"kind": "on_demand"}, {"provider": "vast"}, {"region": "US"},
                   {"min_reliability": 0.995}, {"price": Decimal("0.10")}):  # fmt: skip
        assert not now_of(watch(**missed)).below, missed
    Offer.objects.update(available=False)
    assert now_of(watch()).lowest is None


def test_a_vendor_that_fell_silent_is_not_believed_and_not_forgotten_for_a_day(ops: Client) -> None:
    where = account()
    offer(price_per_gpu_hour=Decimal("0.10"))
    one = watch()
    read(where, timedelta(hours=9))
    assert (now_of(one).below, now_of(one).unsure) == (False, True)
    assert "not confirmed" in text(ops, URL) and "Not confirmed:" in text(ops, f"{URL}{one.pk}/")
    Offer.objects.update(seen_at=timezone.now() - timedelta(hours=25))
    assert (now_of(one).below, now_of(one).unsure) == (False, False)


def test_the_list_takes_as_many_statements_for_many_watches_as_for_two(ops: Client) -> None:
    account()
    for n in range(2):
        offer(n)
        watch(price=Decimal(n + 1))
    text(ops, URL)
    with CaptureQueriesContext(connection) as few:
        text(ops, URL)
    for n in range(2, 40):
        watch(price=Decimal(n + 1))
    with CaptureQueriesContext(connection) as many:
        text(ops, URL)
    assert len(many) == len(few) <= ceiling(URL)


def test_what_was_removed_is_forgotten_after_a_day() -> None:
    gone = watch(deleted_at=timezone.now() - timedelta(hours=25))
    kept = watch(deleted_at=timezone.now() - timedelta(hours=23))
    assert retention.purge_deleted(timezone.now()) == 1
    assert list(OfferWatch.objects.values_list("pk", flat=True)) == [kept.pk] != [gone.pk]


# From the vendor to the mail.


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    kept = Mailbox()
    server = started(kept)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port_of(server), 5
    yield kept
    server.stop()


class Market:
    """A sandbox with one machine whose price the test sets, its account, and a person who is told."""

    def __init__(self, sandbox: Sandbox, patch: pytest.MonkeyPatch) -> None:
        self.sandbox, self.patch = sandbox, patch
        self.now = timezone.now()
        ensure_defaults()
        person = User.objects.create_user("olga", "olga@example.com")
        person.groups.add(Group.objects.get_or_create(name="ops")[0])
        config = sandbox.config("vast")
        self.account = AccountFactory.create(
            slug="vast",
            name="Vast.ai",
            kind="vast",
            secret=encrypt(config.secret),
            base_url=config.base_url,
            local=True,
        )
        ensure_feeds(self.account, self.now)

    def costs(self, *prices: float) -> None:
        """The vendor has a machine for each price an hour; poll it."""
        # A machine here is taken by somebody else for six hours in every 42: not for the next twelve.
        now = self.sandbox.state.now()
        free = (now.toordinal() * 24 + now.hour) // 6 + 3
        hosts = [VastHost(free + 7 * n, "RTX 4090", 1, 24564, at, at, 0.99, "Utah, US") for n, at in enumerate(prices)]
        self.patch.setattr(played, "VAST", hosts)
        self.patch.setattr(played, "drift", lambda name, base, at: base)
        Feed.objects.filter(account=self.account).update(claimed_until=None)
        [feed] = [one for one in claim(timezone.now(), account=self.account) if one.kind == "offers"]
        assert poll(feed), Feed.objects.get(pk=feed.pk).last_error

    def look(self, later: timedelta = timedelta(0)) -> None:
        self.now = max(self.now, timezone.now()) + later
        done = services.evaluate(now=self.now, kinds=["offer"])
        assert not done.errors, done.errors
        outbox.deliver(clock=lambda: self.now)


def state() -> str:
    return Alert.objects.get().state


@pytest.fixture
def bazaar(sandbox: Sandbox, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Market:
    return Market(sandbox, monkeypatch)


def test_a_price_that_falls_is_mailed_once_and_is_over_when_it_rises(bazaar: Market, mailbox: Mailbox) -> None:
    one = watch(kind="on_demand")
    bazaar.costs(0.40)
    bazaar.look()
    assert not Alert.objects.exists()
    bazaar.costs(0.20)
    bazaar.look(timedelta(minutes=2))
    bazaar.look(timedelta(minutes=2))
    [mail] = mailbox.accepted
    assert "RTX 4090, on demand at $0.20" in mail["Subject"] and "below $0.30" in mail["Subject"]
    body = mail.get_body(("plain",))
    assert body is not None
    said = " ".join(body.get_content().split())
    assert "Vast.ai offers it for $0.20" in said and f"/alerts/{Alert.objects.get().pk}" in said
    assert mailbox.recipients == ["olga@example.com"]
    assert (state(), Alert.objects.get().subject) == ("open", f"offer:{one.pk}")
    bazaar.costs(0.50)
    bazaar.look(timedelta(minutes=2))
    bazaar.look(timedelta(minutes=11))
    assert state() == "resolved"
    assert mailbox.subjects()[1:] == ["Offer over: RTX 4090, on demand, now $0.5041, above $0.30"]


def test_an_alert_is_over_when_the_offer_sells_out(bazaar: Market) -> None:
    watch()
    bazaar.costs(0.20)
    bazaar.look()
    assert state() == "open"
    bazaar.costs()
    bazaar.look(timedelta(minutes=2))
    bazaar.look(timedelta(minutes=11))
    assert state() == "resolved"


def test_an_alert_is_over_when_its_watch_is_removed(bazaar: Market) -> None:
    one = watch()
    bazaar.costs(0.20)
    bazaar.look()
    OfferWatch.objects.filter(pk=one.pk).update(deleted_at=bazaar.now)
    bazaar.look(timedelta(minutes=2))
    bazaar.look(timedelta(minutes=11))
    assert state() == "resolved"


def test_an_alert_stays_while_its_vendor_cannot_be_asked(bazaar: Market) -> None:
    watch()
    bazaar.costs(0.20)
    bazaar.look()
    later: datetime = bazaar.now + timedelta(hours=9)
    bazaar.look(later - bazaar.now)
    bazaar.look(timedelta(hours=1))
    assert state() == "open"
    assert now_at(bazaar.now).unsure


def now_at(now: datetime) -> WatchNow:
    return watches_now(list(OfferWatch.objects.all()), fresh_of(sources(now)), now)[0]
