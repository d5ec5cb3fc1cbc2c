"""The audit log after a restore: it verifies as it was written, its end is noted anew, and tampering is still found."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from providers.audit import chain as audit_chain
from providers.audit.log import Action, Actor, ActorKind, record
from tests.dashboard.elsewhere import Elsewhere, backed_up

pytestmark = pytest.mark.usefixtures("in_use")
ANN = Actor(ActorKind.PERSON, "ann", 1, "203.0.113.7")


def acts(count: int) -> None:
    audit_chain.keys.clear_cache()  # of the database of the test before
    for number in range(count):
        record(Action.CHANGED, actor=ANN, object_name=f"thing {number}", changes={"Name": ["old", str(number)]})


def tampered(elsewhere: Elsewhere, statement: str) -> str:
    """What `manage.py audit` says after a statement of the tables' owner, who can switch their triggers off."""
    with psycopg.connect(elsewhere.url, autocommit=True) as owner:
        for table in ("providers_auditentry", "providers_auditseal"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        owner.execute(statement)
    audit = elsewhere.manage("audit")
    assert audit.returncode == 1, audit.stdout
    return audit.stderr


def test_a_restored_audit_log_verifies_in_a_fresh_place_and_a_tampered_row_is_found(
    elsewhere: Elsewhere,
    tmp_path: Path,
) -> None:
    acts(20)
    source = backed_up(tmp_path / "b.backup")
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    assert elsewhere.manage("restore", str(source)).returncode == 0
    noted = (elsewhere.data / "audit.head").read_text().split()
    assert int(noted[0]) == 21  # those, and the restore itself
    audit = elsewhere.manage("audit")
    assert audit.returncode == 0, audit.stderr
    assert "The audit log is as it was written: 21 entries." in audit.stdout and " ".join(noted) in audit.stdout
    told = tampered(elsewhere, "UPDATE providers_auditentry SET actor = 'bob' WHERE object_name = 'thing 7'")
    assert "is not what was written" in told and "1 differences" in told
    told = tampered(
        elsewhere,
        "INSERT INTO costs_decision"
        " (number, signed_at, signed_by, signed_name, choice, statement, figures, previous, digest)"
        " VALUES (1, now(), 'ann', 'Ann', 'go', 'Nobody signed this.', '{}', '', 'of nothing')",
    )
    assert "decision 1: it does not say what was signed" in told and "2 differences" in told


def test_an_older_backup_in_the_place_of_a_longer_log_is_noted_and_on_record(
    elsewhere: Elsewhere,
    tmp_path: Path,
) -> None:
    acts(5)
    older = backed_up(tmp_path / "older.backup")
    acts(30)
    newer = backed_up(tmp_path / "newer.backup")
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    assert elsewhere.manage("restore", str(newer)).returncode == 0
    longer = (elsewhere.data / "audit.head").read_text().split()
    assert elsewhere.manage("restore", str(older), "--force").returncode == 0
    shorter = (elsewhere.data / "audit.head").read_text().split()
    assert (int(longer[0]), int(shorter[0])) == (36, 6)
    assert elsewhere.manage("audit").returncode == 0
    with psycopg.connect(elsewhere.url) as owner:
        (message,) = owner.execute("SELECT message FROM providers_auditentry ORDER BY id DESC LIMIT 1").fetchone() or ()
    assert f"Before, the audit log had come to {' '.join(longer)}" in message
    told = tampered(
        elsewhere,
        "WITH last AS (DELETE FROM providers_auditseal WHERE number > 4 RETURNING entry)"
        " DELETE FROM providers_auditentry WHERE id IN (SELECT entry FROM last)",
    )
    assert "the chain ends at 4, but it had come to 6: its end was cut off" in told
