"""Writes of leases: when one is idle, and how it is stopped: by hand, by a command, or by API where its account allows
that."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from lib.events import log_event
from providers.connectors import CONNECTORS, connect, connector_class
from providers.connectors.base import ConnectorError
from providers.connectors.stopping import Stop, StopCall, command, stop_call
from providers.models import Feed, Lease, LeaseState, OfferKind
from providers.polling.services import config_of

logger = logging.getLogger(__name__)

DEADLINE_S = 30


@dataclass(frozen=True, slots=True)
class StopWay:
    """What stops a lease. `call` is None where only the vendor's console does it; holds no key."""

    stop: Stop
    call: StopCall | None
    command: str
    barred: str  # why the API is not used from here, in a sentence; empty: it may be

    @property
    def loses(self) -> str:
        return str(self.stop.loses)


def stop_way(lease: Lease) -> StopWay | None:
    """How to stop paying for a lease; None where it has ended or its vendor is not known. Reads `lease.account`."""
    stop = connector_class(lease.account.kind).stop if lease.account.kind in CONNECTORS else None
    if stop is None or lease.ended_at is not None:
        return None
    if barred := no_machine(lease):
        return StopWay(stop, None, "", barred)
    base = lease.account.base_url or connector_class(lease.account.kind).default_base_url
    call = stop_call(stop, base.rstrip("/"), lease.external_id, lease.handle)
    typed = command(stop, call, lease.account.kind, lease.external_id, lease.handle)
    return StopWay(stop, call, typed, not_allowed(lease))


def no_machine(lease: Lease) -> str:
    """Why no call stops it; empty where one does."""
    if lease.kind == OfferKind.SERVERLESS:
        return _("A serverless endpoint is free while idle. Set its workers to 0 in the vendor's console.")
    if lease.state == LeaseState.STOPPED:
        return _("It is already stopped. Its disk is still billed. Delete it in the vendor's console.")
    if lease.account.kind == "google" and not lease.handle:
        return _("Its project and zone are known after the next poll.")
    return ""


def not_allowed(lease: Lease) -> str:
    if not lease.account.may_stop:
        return _("Stopping GPUs is disabled for the account %(name)s.") % {"name": lease.account.name}
    if not lease.account.enabled:
        return _("The account %(name)s is disabled.") % {"name": lease.account.name}
    return ""


def save_idle_minutes(*, lease: Lease) -> None:
    """Store after how many minutes without a request the lease is called idle."""
    lease.save(update_fields=["idle_minutes"])


def stop_by_api(*, lease: Lease, way: StopWay) -> str:
    """Make the call now and have the account read again; what came of it, in a sentence. Raises ConnectorError.

    Nothing calls this but a person's confirmed form.
    """
    if way.barred or way.call is None:
        raise ConnectorError(way.barred, permanent=True)
    connector = connect(lease.account.kind, config_of(lease.account, DEADLINE_S))
    connector.stop_lease(lease.external_id, lease.handle)
    lease.stop_requested_at = timezone.now()
    lease.save(update_fields=["stop_requested_at"])
    log_event(
        logger,
        logging.INFO,
        "lease_stop_requested",
        account=lease.account.slug,
        lease_id=lease.pk,
        method=way.call.method,
    )
    Feed.objects.filter(account=lease.account, kind="leases").due_now(timezone.now())
    sentence = (
        _("%(vendor)s accepted the request to end %(lease)s.")
        if way.stop.destroys
        else _("%(vendor)s is stopping %(lease)s.")
    )
    return sentence % {"vendor": connector.label, "lease": lease}
