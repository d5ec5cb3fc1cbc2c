"""The door: back-off before anything is hashed, few hashes at once, no word on who exists, everything on record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from dashboard.models import Attempts
from dashboard.signin import hashing
from dashboard.signin.hashing import Busy, Slots
from dashboard.signin.throttle import ACCOUNT, ADDRESS, Throttled, begin, bucket, purge, succeed, take_back
from providers.audit.counts import counts
from providers.audit.log import AuditEntry
from tests.dashboard.logins import with_role
from tests.factories import ApplicationFactory

pytestmark = pytest.mark.django_db
GOOD = "a long password"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were held against a hash, or hashed for nobody."""
    seen: list[str] = []
    encode = hashers.MD5PasswordHasher.encode

    def watched(self: object, password: str, salt: str) -> str:
        seen.append(password)
        return encode(self, password, salt)  # type: ignore[arg-type]  # the hasher itself

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", watched)
    return seen


@pytest.fixture(autouse=True)
def at_one_moment() -> Iterator[None]:
    """A wait of 2 s is over while a busy machine hashes one password; where time passes, a test says so (`later`)."""
    with time_machine.travel(timezone.now(), tick=False):
        yield


def attempt(client: Client, name: str, password: str = "wrong", address: str = "203.0.113.7") -> int:
    return client.post("/login/", {"username": name, "password": password}, REMOTE_ADDR=address).status_code


def later(seconds: int) -> None:
    """Time passes for every count."""
    for row in Attempts.objects.all():
        Attempts.objects.filter(pk=row.pk).update(last_at=row.last_at - timedelta(seconds=seconds))


# Back-off.


def test_after_five_failures_an_account_waits_and_nothing_is_hashed(hashed: list[str]) -> None:
    with_role("ops", "petra")
    hashed.clear()
    stranger = Client()
    assert [attempt(stranger, "petra", address=f"203.0.113.{n}") for n in range(5)] == [200] * 5
    assert len(hashed) == 5
    answer = stranger.post("/login/", {"username": "petra", "password": GOOD}, REMOTE_ADDR="203.0.113.99")
    assert (answer.status_code, len(hashed)) == (429, 5)
    assert 1 <= int(answer["Retry-After"]) <= 2 and "Too many attempts" in answer.content.decode()


def test_the_wait_doubles_and_never_exceeds_five_minutes_whatever_a_stranger_does() -> None:
    name = bucket("account", "petra")
    waits = []
    for _n in range(30):
        try:
            begin([(name, ACCOUNT)])
        except Throttled as refusal:
            waits.append(refusal.retry_after)
            later(refusal.retry_after)
    assert waits[:4] == [2, 4, 8, 16] and waits[-1] == 300 and sorted(waits) == waits


def test_attempts_during_the_wait_do_not_make_it_longer() -> None:
    counted = [(bucket("account", "petra"), ACCOUNT)]
    for _n in range(6):
        with pytest.raises(Throttled) if _n == 5 else pytest.MonkeyPatch.context():
            begin(counted)
    for _n in range(50):
        with pytest.raises(Throttled):
            begin(counted)
    later(2)
    begin(counted)


def test_the_right_password_ends_the_back_off_of_its_account(client: Client) -> None:
    with_role("ops", "petra")
    for _n in range(4):
        attempt(client, "petra")
    assert attempt(client, "petra", GOOD) == 302
    assert not Attempts.objects.filter(pk=bucket("account", "petra")).exists()


def test_an_address_waits_after_twenty_failures_over_all_accounts(hashed: list[str]) -> None:
    stranger = Client()
    assert [attempt(stranger, f"name{n}") for n in range(20)] == [200] * 20
    assert attempt(stranger, "another") == 429 and len(hashed) == 20
    assert attempt(stranger, "another", address="198.51.100.1") == 200


def test_an_account_of_their_own_gives_a_stranger_no_free_attempts_at_others() -> None:
    with_role("ops", "insider")
    for n in range(24):
        attempt(Client(), f"victim{n}")
        attempt(Client(), "insider", GOOD)
    assert attempt(Client(), "victim") == 429


def test_one_customers_ipv6_addresses_count_as_one() -> None:
    for n in range(20):
        attempt(Client(), f"name{n}", address=f"2001:db8::{n:x}")
    assert attempt(Client(), "another", address="2001:db8::ffff") == 429
    assert attempt(Client(), "another", address="2001:db8:1::1") == 200


def test_a_stranger_cannot_keep_the_owner_out_of_a_browser_that_they_signed_in_with_before() -> None:
    with_role("admin", "root")
    owners = Client()
    assert attempt(owners, "root", GOOD) == 302
    owners.post("/logout/")
    for n in range(30):
        attempt(Client(), "root", address=f"203.0.113.{n}")
    assert attempt(Client(), "root", GOOD, address="198.51.100.7") == 429
    assert attempt(owners, "root", GOOD) == 302


def test_a_forged_device_cookie_does_not_avoid_the_back_off() -> None:
    with_role("admin", "root")
    forger = Client()
    forger.cookies["device"] = "WyJyb290IiwieCJd:1tXXXX:forged"
    for _n in range(5):
        attempt(forger, "root")
    assert attempt(forger, "root") == 429


def test_counts_are_shared_by_processes_as_they_are_rows_and_go_after_an_hour() -> None:
    begin([(bucket("account", "petra"), ACCOUNT)])
    assert purge(timezone.now()) == 0 and Attempts.objects.count() == 1
    assert purge(timezone.now() + timedelta(hours=1, seconds=1)) == 1


def test_what_was_not_tried_does_not_count() -> None:
    counted = [(bucket("address", "x"), ADDRESS), (bucket("account", "petra"), ACCOUNT)]
    begin(counted)
    take_back(counted)
    assert {row.failures for row in Attempts.objects.all()} == {0}
    begin(counted)
    succeed(counted)
    assert [row.failures for row in Attempts.objects.all()] == [0]


# Hashing.


def test_few_are_hashed_at_once_and_the_rest_is_told_to_come_again() -> None:
    slots, inside, leave = Slots(at_once=1, waiting=1, wait_s=0.05), threading.Event(), threading.Event()

    def hold() -> None:
        with slots.one():
            inside.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(30)
    with pytest.raises(Busy), slots.one():
        pass
    leave.set()
    holder.join()
    with slots.one():
        pass


def test_a_sign_in_while_too_many_hash_is_503_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with_role("ops", "petra")
    monkeypatch.setattr("dashboard.signin.backend.slots", Slots(at_once=1, waiting=-1))
    answer = Client().post("/login/", {"username": "petra", "password": GOOD})
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert {row.failures for row in Attempts.objects.all()} == {0}


def test_the_bound_leaves_processors_for_pages() -> None:
    assert hashing.AT_ONCE >= 1 and hashing.AT_ONCE + hashing.WAITING < 8


# What is told.


def test_nobody_learns_whether_an_account_exists(hashed: list[str]) -> None:
    with_role("ops", "petra")
    locked = with_role("ops", "gone")
    User.objects.filter(pk=locked.pk).update(is_active=False)
    texts = set()
    for name in ("petra", "gone", "nobody"):
        hashed.clear()
        answer = Client().post("/login/", {"username": name, "password": "wrong"})
        token = str(answer.context["csrf_token"])
        texts.add(answer.content.decode().replace(name, "NAME").replace(token, ""))
        assert len(hashed) == 1, name
    assert len(texts) == 1


def test_sign_ins_and_failures_are_on_record_with_the_address_and_without_what_was_typed() -> None:
    petra = with_role("ops", "petra")
    for password in ("wrong", "wrong", GOOD):
        attempt(Client(), "petra", password)
    attempt(Client(), "hunter2-typed-too-early")
    counts.flush()
    entries = list(AuditEntry.objects.order_by("action", "pk").values_list("action", "actor", "address", "count"))
    assert entries == [
        ("login", "petra", "203.0.113.7", 1),
        ("login-failed", "petra", "203.0.113.7", 2),
        ("login-failed", "", "203.0.113.7", 1),
    ]
    assert "hunter2" not in str(list(AuditEntry.objects.values()))
    assert AuditEntry.objects.filter(action="login-failed", object_id=str(petra.pk)).count() == 1


def test_signing_out_is_on_record(client: Client) -> None:
    with_role("ops", "petra")
    attempt(client, "petra", GOOD)
    client.post("/logout/")
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["login", "logout"]


def test_a_flood_of_failures_fills_no_disk() -> None:
    for n in range(130):  # more than twice what a minute writes down
        counts_before = AuditEntry.objects.count()
        Attempts.objects.all().delete()
        attempt(Client(), "nobody", address=f"198.51.{n % 65}.{n // 65}")
        assert AuditEntry.objects.count() == counts_before
    counts.flush()
    assert AuditEntry.objects.count() <= 62
    assert sum(AuditEntry.objects.values_list("count", flat=True)) == 130


# Passwords.


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars",
        "passwordpassword",
        "Breakeven2026!!",
        "Br3akeven-Br3akeven",
        "lanternloom-2026",
        "checkout2026!!",
        "petra.schmidt.1",
        "1234567890123456",
    ],
)
def test_a_password_of_words_that_everybody_here_knows_is_refused(password: str) -> None:
    ApplicationFactory.create(slug="checkout", name="Checkout")
    petra = User(username="petra", first_name="Petra", last_name="Schmidt", email="p.schmidt@example.com")
    with pytest.raises(ValidationError):
        validate_password(password, petra)


@pytest.mark.parametrize("password", ["correct horse battery", "checkout the green hills today", "mV8-qLz2-Tw5x"])
def test_a_password_that_nobody_would_try_is_taken(password: str) -> None:
    ApplicationFactory.create(slug="checkout", name="Checkout")
    validate_password(password, User(username="petra"))


def test_the_first_admin_is_held_to_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "breakeven2026")
    with pytest.raises(CommandError, match="is refused"):
        call_command("createsuperuser", "--noinput", "--username=root", "--email=r@example.com", stdout=StringIO())
    assert not User.objects.exists()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "mV8-qLz2-Tw5x")
    call_command("createsuperuser", "--noinput", "--username=root", "--email=r@example.com", stdout=StringIO())
    assert User.objects.get().is_superuser


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    counts.clear()
    yield
    counts.clear()
