"""Writes of the providers' settings: accounts, deployments, prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError, transaction

from providers.heartbeats.services import due_after
from providers.models import (
    Account,
    Deployment,
    Discount,
    Feed,
    Heartbeat,
    Maintenance,
    OfferWatch,
    StatusPage,
    TokenPrice,
)
from providers.polling.due import ensure_feeds
from providers.uptime import due_checks


def save_account(*, account: Account, intervals: Mapping[str, int], now: datetime) -> None:
    """Store an account with its feeds; whatever was refused before is asked again at once."""
    with transaction.atomic():
        account.save()
        ensure_feeds(account, now)
        # A new key may see what the old one did not.
        refused = account.feeds.exclude(disabled_reason="")
        refused.update(disabled_reason="", failures=0, failing_since=None, due_at=now)
        for kind, every_s in intervals.items():
            account.feeds.filter(kind=kind).exclude(every_s=every_s).update(every_s=every_s, due_at=now)


def poll_soon(*, account: Account, now: datetime) -> int:
    """Make every feed due that nobody polls right now, one that was refused as well; beat sees to the rest within
    seconds. Returns how many."""
    refused = Feed.objects.filter(account=account).exclude(disabled_reason="")
    refused.update(disabled_reason="", failures=0, failing_since=None)
    return Feed.objects.filter(account=account).due_now(now)


def enable_account(*, account: Account, now: datetime) -> None:
    """Poll it again, from a clean slate: it takes as many refusals as ever to be switched off anew."""
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(enabled=True, disabled_reason="")
        Feed.objects.filter(account=account).update(failures=0, failing_since=None)
        poll_soon(account=account, now=now)


def disable_account(*, account: Account) -> None:
    """Poll it no more until a person enables it again; what is known stays and grows old."""
    Account.objects.filter(pk=account.pk).update(enabled=False, disabled_reason="")


def save_deployment(*, deployment: Deployment, moved: bool, was_checked: bool, now: datetime) -> None:
    """Store a deployment; one that leads elsewhere now is checked at once, one that is checked no more is unknown."""
    with transaction.atomic():
        if moved or deployment.check_due_at is None:
            deployment.check_due_at = now
        if deployment._state.adding:
            deployment.save()
            return
        # What checks write is theirs: one may be under way.
        fields = {field.name for field in Deployment._meta.concrete_fields} - CHECKS_OWN - {"id"}
        deployment.save(update_fields=fields)
        if was_checked and not deployment.checked:
            due_checks.stop_checking(deployment=deployment)


CHECKS_OWN = {
    "state",
    "state_since",
    "streak_ok",
    "streak",
    "streak_since",
    "check_claimed_until",
    "last_check_at",
    "last_latency_ms",
    "last_cause",
    "tls_expires_at",
    "served_model",
}


def disable_deployment(*, deployment: Deployment) -> None:
    """Send nothing there and check it no more; whether it is to be checked when it comes back is kept."""
    with transaction.atomic():
        due_checks.stop_checking(deployment=deployment)
        Deployment.objects.filter(pk=deployment.pk).update(enabled=False, checked=deployment.checked)


def enable_deployment(*, deployment: Deployment, now: datetime) -> None:
    Deployment.objects.filter(pk=deployment.pk).update(enabled=True, check_due_at=now)


def end_maintenance(*, window: Maintenance, now: datetime) -> None:
    """Close a window that is under way; take back one that has not begun. What is over stays."""
    if window.starts_at > now:
        window.delete()
    elif window.repeats:
        if window.repeats_until is None or window.repeats_until > now:
            window.repeats_until = now
            window.save(update_fields=["repeats_until"])
    elif window.ends_at > now:
        window.ends_at = now
        window.save(update_fields=["ends_at"])


def add_price(*, price: TokenPrice, person: AbstractBaseUser, now: datetime) -> TokenPrice:
    """Store a new version of a price as entered by a person; those that stand are never touched."""
    price.entered_by_id, price.seen_at = person.pk, now
    price.save(force_insert=True)
    return price


def add_discount(*, discount: Discount, person: AbstractBaseUser | AnonymousUser, now: datetime) -> Discount:
    """Store a contract's discount as entered by a person; those that stand are never touched."""
    discount.entered_by_id, discount.entered_at = person.pk, now
    discount.save(force_insert=True)
    return discount


def withdraw_discount(*, discount: Discount, now: datetime) -> None:
    """It holds no more for what comes; requests that were costed with it keep naming it."""
    Discount.objects.filter(pk=discount.pk, withdrawn_at=None).update(withdrawn_at=now)


def restore_discount(*, discount: Discount) -> bool:
    """Undo of the withdrawal; False where another holds on some of its days by now."""
    others = Discount.objects.overlapping(discount.provider, discount.model, discount.starts_on, discount.ends_on)
    if others.exclude(pk=discount.pk).exists():
        return False
    Discount.objects.filter(pk=discount.pk).update(withdrawn_at=None)
    return True


def delete_for_now(*, thing: Heartbeat | OfferWatch | StatusPage, now: datetime) -> None:
    """Delete it for everybody; for a day it can be brought back (`providers.uptime.retention` removes it then)."""
    thing.deleted_at = now
    thing.save(update_fields=["deleted_at"])


def bring_back(*, thing: Heartbeat | OfferWatch | StatusPage, now: datetime) -> bool:
    """Undo the deletion; False where its name has been given away since."""
    thing.deleted_at = None
    if isinstance(thing, Heartbeat) and thing.due_at is not None:
        thing.due_at = due_after(thing, now)  # its pings found nobody
    try:
        with transaction.atomic():
            thing.save()
    except IntegrityError:
        return False
    return True
