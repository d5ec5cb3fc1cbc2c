"""Commands that change something are in the audit log, however they end, and without what is secret."""

from __future__ import annotations

import sys

import pytest

from dashboard.audit.command_log import recorded, words_of
from providers.audit.log import AuditEntry

pytestmark = pytest.mark.django_db


def test_a_command_is_on_record_with_its_options_and_its_end() -> None:
    with recorded(["manage.py", "create_key", "read", "--application", "shop"]):
        pass
    with pytest.raises(SystemExit), recorded(["manage.py", "restore", "/srv/b.zip"]):
        sys.exit("The backup is damaged.")
    with pytest.raises(ZeroDivisionError), recorded(["manage.py", "reprice"]):
        raise ZeroDivisionError
    entries = AuditEntry.objects.order_by("pk")
    assert [entry.message for entry in entries] == [
        "manage.py create_key read --application shop: done",
        "manage.py restore /srv/b.zip: failed",
        "manage.py reprice: failed",
    ]
    assert {entry.actor_kind for entry in entries} == {"command"} and all(entry.actor for entry in entries)


@pytest.mark.parametrize("command", ["audit", "doctor", "prepare", "migrate", "poll", "up", ""])
def test_commands_that_only_read_or_run_by_themselves_are_not_recorded(command: str) -> None:
    with recorded(["manage.py", command]):
        pass
    with recorded(["manage.py", "erase", "--help"]):
        pass
    assert not AuditEntry.objects.exists()


def test_the_name_of_somebody_who_is_erased_does_not_stay_in_the_log() -> None:
    assert words_of(["erase", "--user", "max", "--yes"]) == "erase --user … --yes"
    assert words_of(["erase", "--user=max"]) == "erase --user=…"


def test_what_is_typed_into_a_shell_is_not_written_down() -> None:
    with recorded(["manage.py", "shell", "-c", "print('secret')"]):
        pass
    assert AuditEntry.objects.get().message == "manage.py shell: done"
