"""The audit log: what is written, what the database refuses, and that tampering is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from django import forms
from django.contrib.auth.models import User
from django.db import Error, connection, transaction
from django.test import RequestFactory, override_settings

from dashboard.environment import Environment
from lib.client_address import client_address, network
from providers.audit import chain as audit_chain
from providers.audit.chain import Head, differences, head, seal_all
from providers.audit.log import Action, Actor, ActorKind, AuditEntry, changes_of, record
from providers.models import AuditSeal

ANN = Actor(ActorKind.PERSON, "ann", 7, "203.0.113.7")


def write(number: int) -> None:
    for n in range(number):
        record(Action.CHANGED, actor=ANN, object_type="x.y", object_id=n, object_name=f"thing {n}",
               changes={"Ünit": ["1", None]})  # fmt: skip


def as_owner(statement: str) -> None:
    """What somebody does who has got hold of the database itself: triggers are no obstacle to its owner."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)


def faults(kept: Head | None = None) -> list[str]:
    return list(differences(kept))


# What the database refuses.


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["providers_auditentry", "providers_auditseal"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET key = key", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_to_change_or_take_away_an_entry(table: str, statement: str) -> None:
    write(1)
    seal_all()
    with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.django_db
def test_a_person_who_is_deleted_takes_no_entry_along() -> None:
    ann = User.objects.create_superuser("ann")
    record(Action.CHANGED, actor=Actor(ActorKind.PERSON, "ann", ann.pk), thing=ann)
    ann.delete()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.object_name) == ("ann", "ann")


# The chain.


@pytest.mark.django_db(transaction=True)
def test_an_untouched_log_has_no_fault() -> None:
    write(5)
    assert AuditSeal.objects.count() == 5
    assert faults() == [] and faults(head()) == []


@pytest.mark.django_db(transaction=True)
def test_entries_of_a_transaction_that_fails_leave_no_gap() -> None:
    write(1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(1)
        raise ZeroDivisionError
    write(1)
    assert AuditSeal.objects.count() == 2 and faults() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE providers_auditentry SET actor = 'bob' WHERE object_id = '1'", "is not what was written"),
        ("UPDATE providers_auditentry SET changes = '{}' WHERE object_id = '1'", "is not what was written"),
        ("UPDATE providers_auditentry SET at = at + interval '1 us' WHERE object_id = '1'", "is not what was written"),
        ("DELETE FROM providers_auditentry WHERE object_id = '1'", "is missing"),
        ("DELETE FROM providers_auditseal WHERE number = 2", "seals 2 to 2 are missing"),
        (
            "UPDATE providers_auditseal s SET entry = -1 * (SELECT t.entry FROM providers_auditseal t"
            " WHERE t.number = 5 - s.number) WHERE s.number IN (2, 3)",
            "is missing",
        ),
        (
            "INSERT INTO providers_auditentry (at, actor_kind, actor, address, action, object_type, object_id,"
            " object_name, message, changes, count, key, mac) VALUES (now(), 'person', 'bob', '', 'changed', '', '',"
            " '', '', '{}', 1, 1, '\\x00')",
            "is not what was written",
        ),
    ],
)
def test_whoever_changes_the_log_in_the_database_is_named(statement: str, fault: str) -> None:
    write(4)
    as_owner(statement)
    seal_all()
    assert any(fault in line for line in faults()), faults()


@pytest.mark.django_db(transaction=True)
def test_two_entries_that_change_places_are_named() -> None:
    write(4)
    as_owner("UPDATE providers_auditseal SET entry = -entry WHERE number IN (2, 3)")
    as_owner(
        "UPDATE providers_auditseal s SET entry = (SELECT max(e.id) FROM providers_auditentry e"
        " WHERE e.object_id = CASE s.number WHEN 2 THEN '2' ELSE '1' END) WHERE number IN (2, 3)"
    )
    assert any("does not follow" in line for line in faults())


@pytest.mark.django_db(transaction=True)
def test_an_end_that_was_cut_off_is_seen_by_who_kept_where_it_ended() -> None:
    write(4)
    kept = head()
    as_owner("DELETE FROM providers_auditentry WHERE object_id IN ('2', '3')")
    as_owner("DELETE FROM providers_auditseal WHERE number > 2")
    assert faults() == []  # the rest is whole: only the end that was noted tells
    assert "its end was cut off" in faults(kept)[0]
    write(2)
    assert "another one than was noted" in faults(kept)[0]


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain_without_a_fault() -> None:
    def work() -> None:
        try:
            write(25)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_all()
    assert AuditSeal.objects.count() == 100 and faults() == []


def written_apart() -> None:
    try:
        write(1)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_an_open_transaction_keeps_nobody_from_writing() -> None:
    with transaction.atomic():
        write(1)
        other = threading.Thread(target=written_apart)
        other.start()
        other.join(timeout=120)
        assert not other.is_alive()
        assert AuditEntry.objects.count() == 2
    assert faults() == []


@pytest.fixture
def fresh_keys() -> Iterator[None]:
    audit_chain.keys.clear_cache()
    yield
    audit_chain.keys.clear_cache()


@pytest.mark.django_db(transaction=True)
def test_under_another_key_of_the_installation_the_log_goes_on_and_says_what_it_cannot_prove(fresh_keys: None) -> None:
    write(2)
    audit_chain.keys.clear_cache()
    with override_settings(CREDENTIALS_KEY=Fernet.generate_key().decode(), CREDENTIALS_KEY_FILE=None):
        write(1)
        lines = faults()
        assert len(lines) == 2 and all("cannot be read: it proves nothing" in line for line in lines)


# What is written.


class ExampleForm(forms.Form):
    name = forms.CharField()
    kind = forms.ChoiceField(choices=[("a", "Alpha"), ("b", "Beta")])
    url = forms.CharField()
    api_key = forms.CharField()
    typed = forms.CharField(widget=forms.PasswordInput)


def test_a_form_tells_values_before_and_after_and_never_a_secret() -> None:
    initial = {"name": "old", "kind": "a", "url": "http://x/", "api_key": "hush-1", "typed": "hush-2"}
    data = {
        "name": "new",
        "kind": "b",
        "url": "https://u:hush-3@y/p?token=hush-4",
        "api_key": "hush-5",
        "typed": "hush-6",
    }
    form = ExampleForm(data, initial=initial)
    assert form.is_valid()
    fields = changes_of(form)
    assert fields["Name"] == ["old", "new"] and fields["Kind"] == ["Alpha", "Beta"]
    assert fields["Api key"] == fields["Typed"] == "changed"
    assert fields["Url"] == ["http://x/", "https://…@y/p?…"]
    assert "hush" not in str(fields)


@pytest.mark.django_db
def test_names_of_strangers_make_no_line_and_no_nul(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "breakeven.audit")
    record(Action.LOGIN_FAILED, actor=Actor(ActorKind.STRANGER, "a\0b\naudit entry=1 action=login"))
    (told,) = [record.getMessage() for record in caplog.records if record.name == "breakeven.audit"]
    assert "\n" not in told and told.count(" action=") == 1 and "action=login-failed" in told
    assert AuditEntry.objects.get().actor == "ab\naudit entry=1 action=login"


# Where from.


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "expected"),
    [
        ("", "203.0.113.7", "", "203.0.113.7"),
        ("", "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.0/8", "10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.1.2.3", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.0/8", "10.1.2.3", "nonsense", "10.1.2.3"),
        ("10.0.0.0/8,::1", "::1", "[2001:db8::5]:443", "2001:db8::5"),
        ("127.0.0.1", "::ffff:127.0.0.1", "198.51.100.1:1234", "198.51.100.1"),
        ("10.0.0.0/8", "", "198.51.100.1", ""),
    ],
)
def test_the_address_is_the_peers_or_what_a_trusted_proxy_says(
    proxies: str, peer: str, forwarded: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("BREAKEVEN_TRUSTED_PROXIES", proxies)
    trusted = Environment(tmp_path).networks("BREAKEVEN_TRUSTED_PROXIES")  # type: ignore[arg-type]
    request = RequestFactory().get("/", headers={"x-forwarded-for": forwarded}, REMOTE_ADDR=peer)
    with override_settings(TRUSTED_PROXIES=trusted):
        assert client_address(request) == expected


def test_one_customers_addresses_count_as_one() -> None:
    assert network("203.0.113.7") == "203.0.113.7"
    assert network("2001:db8::1") == network("2001:db8::ffff") == "2001:db8::/64"
