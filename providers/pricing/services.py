"""Writes of the price book by people. A version is never edited: requests were costed with it.

The pages that call these are in `traffic/repricing/`, because they show what a price changes for stored requests.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from providers.models import Discount, TokenPrice, UnitPrice


def add_price(*, price: TokenPrice, person: AbstractBaseUser, now: datetime) -> TokenPrice:
    """Store a new version of a price as entered by a person; those that stand are never touched."""
    price.entered_by_id, price.seen_at = person.pk, now
    price.save(force_insert=True)
    return price


def add_unit_price(*, price: UnitPrice, person_id: int | None, now: datetime) -> None:
    """Store a unit price as entered by a person."""
    price.entered_by_id, price.seen_at = person_id, now
    price.save(force_insert=True)


def remove_price(price: TokenPrice | UnitPrice) -> None:
    """Take a price out that no request was costed with; whether one was, the caller has looked."""
    price.delete()


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
