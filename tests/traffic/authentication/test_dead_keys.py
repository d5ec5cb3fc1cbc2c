"""Keys that do not work any more and are shown to the gateway all the same: in the audit log, and nobody else's are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from providers.audit.counts import KINDS_MAX
from providers.audit.log import AuditEntry
from traffic.authentication.keys import create_key, move_dead_key_uses
from traffic.gateway.snapshot import REFUSED_MOST, Snapshots
from traffic.models import DeadKeyUse, Key

pytestmark = pytest.mark.django_db


def snapshots() -> Snapshots:
    return Snapshots("postgresql://nowhere", str)


def noted(seen: Snapshots) -> None:
    connection.ensure_connection()
    seen._note_refused(connection.connection)


def test_a_revoked_key_at_the_gateway_is_on_record_with_its_name_address_and_number() -> None:
    key, secret = create_key(name="old worker", scopes=["gateway"])
    Key.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    seen = snapshots()
    for _n in range(3):
        seen.refused([secret.encode()], "203.0.113.7")
    noted(seen)
    assert move_dead_key_uses() == 1
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.address, entry.count) == ("revoked-key", "old worker", "203.0.113.7", 3)
    assert move_dead_key_uses() == 0 and not DeadKeyUse.objects.exists()


def test_made_up_keys_and_live_ones_leave_no_row_and_are_bounded() -> None:
    _key, live = create_key(name="worker", scopes=["read"])
    seen = snapshots()
    seen.refused([live.encode(), b"bk_made-up"], "203.0.113.7")
    for n in range(2 * REFUSED_MOST):
        seen.refused([f"bk_{n}".encode()], "203.0.113.7")
    assert len(seen._refused) == REFUSED_MOST
    noted(seen)
    assert not DeadKeyUse.objects.exists() and not seen._refused


def test_a_dead_key_from_many_addresses_is_a_bounded_number_of_entries() -> None:
    key, _secret = create_key(name="old worker", scopes=["gateway"])
    Key.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    DeadKeyUse.objects.bulk_create(
        DeadKeyUse(key=key, address=f"2001:db8:0:{n // 2:x}::{n:x}", count=2) for n in range(400)
    )
    assert move_dead_key_uses() == KINDS_MAX + 1
    assert sum(AuditEntry.objects.values_list("count", flat=True)) == 800
    assert AuditEntry.objects.filter(address="").get().count == 800 - 4 * KINDS_MAX
