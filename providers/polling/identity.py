"""Which account at the vendor a key belongs to, and whether another account of ours reads it already."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext as _

from lib.events import log_event
from providers.connectors.base import Connector, ConnectorError
from providers.models import Account, Lease, LeaseState, VendorCost, VendorName
from providers.polling.refusals import take_origin

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=3)  # of the bill, where a vendor reports no id of its own


@dataclass(frozen=True, slots=True)
class Identified:
    """Whose a key is at the vendor. `same` is another account of ours that reads it already; `unknown` is why the
    vendor did not report whose it is."""

    identity: Sequence[str] = ()
    same: Account | None = None
    unknown: str = ""


def identified(account: Account, connector: Connector) -> Identified:
    """Raises ConnectorError."""
    identity, unknown = identity_of(account, connector)
    return Identified(identity, same_account(account, connector, identity), unknown)


def identity_of(account: Account, connector: Connector) -> tuple[list[str], str]:
    """What the vendor reports of itself, empty where it has no id; and why that is unknown, where it fails."""
    try:
        return connector.identity(), ""
    except ConnectorError as error:  # its text is the vendor's own in part, so it stays out of the log
        log_event(logger, logging.WARNING, "identity_unknown", account=account.slug, permanent=error.permanent)
        return [], error.message


def same_account(account: Account, connector: Connector, identity: list[str]) -> Account | None:
    """Another account of ours, switched off or not, that reads the same one at the vendor. Asks the vendor where ids
    of leases, keys or bill lines must stand in for its own. Raises ConnectorError."""
    others = Account.objects.filter(kind=account.kind).exclude(pk=account.pk).order_by("pk")
    same = Account.objects.sharing(identity, account.kind).exclude(pk=account.pk).first() if identity else None
    if same is not None or not others.filter(identity=[]).exists():
        return same
    unknown = others.filter(identity=[])
    for model, ids in evidence(connector):
        rows = model._default_manager.filter(account__in=unknown, external_id__in=ids).select_related("account")
        if row := rows.order_by("account_id").first():
            shared: Account = row.account
            return shared
    return None


def evidence(connector: Connector) -> list[tuple[type[Lease | VendorName | VendorCost], list[str]]]:
    """Ids that no two accounts of a vendor share: of its leases, of its workspaces and keys, of its bill lines."""
    seen: list[tuple[type[Lease | VendorName | VendorCost], list[str]]] = []
    now = datetime.now(UTC)
    if "leases" in connector.feeds:
        seen.append((Lease, [row.external_id for row in connector.fetch_leases().rows]))
    if "names" in connector.feeds:
        seen.append((VendorName, [row.external_id for row in connector.fetch_names().rows]))
    if connector.unique_bills:
        seen.append((VendorCost, [row.external_id for row in connector.fetch_costs(now - LOOK_BACK, now).rows]))
    return seen


def check_identity(account: Account, connector: Connector) -> None:
    """Before anything of an answer is stored: learn whose the key is, or stop where it is another's than before.

    Raises ConnectorError as long as a person has to decide, and for an account that is here already.
    """
    identity, unknown = identity_of(account, connector)
    if unknown:
        if not account.identity and not account.unverified.get("account"):
            Account.objects.filter(pk=account.pk).update(unverified={"why": unknown})
    elif account.unverified:
        verify(account, connector, identity)
    if not identity and not account.new_identity:
        return
    if identity and (not account.identity or {*identity} & {*account.identity}):
        if identity != account.identity or account.new_identity:
            account.identity, account.new_identity = identity, []
            Account.objects.filter(pk=account.pk).update(identity=identity, new_identity=[])
            take_origin(account)
        return
    if identity and identity != account.new_identity:
        Account.objects.filter(pk=account.pk).update(new_identity=identity)
        account.new_identity = identity
        leases_unknown(account)
        log_event(logger, logging.WARNING, "account_changed_hands", account=account.slug)
    raise ConnectorError(changed_hands(account))


def verify(account: Account, connector: Connector, identity: list[str]) -> None:
    """Switch an account off that was saved before its vendor answered, if an older one reads the same.

    Raises ConnectorError then.
    """
    same = same_account(account, connector, identity)
    if same is None or not same.enabled or same.pk > account.pk:
        account.unverified = {}
        Account.objects.filter(pk=account.pk).update(unverified={})
        return
    reason = _("This account exists as %(name)s. Change its key there.") % {"name": same.name}
    unverified = {"account": same.slug, "name": same.name}
    rows = Account.objects.filter(pk=account.pk, enabled=True)
    if rows.update(enabled=False, disabled_reason=reason, unverified=unverified):
        leases_unknown(account)
        log_event(logger, logging.WARNING, "account_here_already", account=account.slug, read_by=same.slug)
    raise ConnectorError(reason, permanent=True)


def changed_hands(account: Account) -> str:
    text = _("The key now belongs to another account at %(vendor)s. Nothing is stored until you choose an account.")
    return text % {"vendor": account.provider_name}


def leases_unknown(account: Account) -> None:
    """Nobody reports an account's leases any more: whether they run is not known."""
    Lease.objects.filter(account=account, ended_at=None).update(state=LeaseState.UNKNOWN)
