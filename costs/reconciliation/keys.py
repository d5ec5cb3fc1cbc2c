"""Whose a vendor's keys are: the rows of the page about bills, and what a person says of a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from costs.models import KeyOwner
from costs.reconciliation.coverage import Coverage, CoverageRow
from providers.models import Account, VendorName
from traffic.models import Application

OTHER = "~other"  # the value of a key that is another tool's; no slug begins so


def key_rows(coverages: Sequence[Coverage]) -> list[dict[str, Any]]:
    """What each key has of the vendor's tokens, with whose it is said to be."""
    slugs = dict(Application.objects.values_list("pk", "slug"))
    accounts = dict(Account.objects.values_list("pk", "slug"))
    called = names_of_keys()
    rows = []
    for coverage in coverages:
        for row in coverage.keys:
            owner = OTHER if row.other else slugs.get(row.owner or 0, "")
            workspace = called.get((row.account, row.workspace), row.workspace)
            rows.append(
                {
                    "account": accounts.get(row.account, ""),
                    "name": called.get((row.account, row.key), row.key) if row.key else _("without a key"),
                    "place": ", ".join(filter(None, (coverage.name, workspace))),
                    "row": row,
                    "owner": owner,
                    "owner_name": _("another tool") if row.other else owner or _("any application"),
                }
            )
    return rows


def space_rows(coverages: Sequence[Coverage]) -> list[tuple[Coverage, list[tuple[str, CoverageRow]]]]:
    """Each provider's workspaces by their names."""
    called = names_of_keys()
    return [
        (coverage, [(called.get((row.account, row.workspace), row.workspace), row) for row in coverage.workspaces])
        for coverage in coverages
    ]


def names_of_keys() -> dict[tuple[int, str], str]:
    """What vendors call keys and workspaces, by account and id."""
    rows = VendorName.objects.values_list("account_id", "external_id", "name")
    return {(account, external): name for account, external, name in rows}


def application_names() -> list[tuple[str, str]]:
    """Slug and name of each application."""
    return list(Application.objects.order_by("slug").values_list("slug", "name"))


def account(slug: str) -> Account:
    """Raises Http404."""
    return get_object_or_404(Account, slug=slug)


def application(slug: str) -> Application:
    """Raises Http404."""
    return get_object_or_404(Application, slug=slug)


def set_owner(*, account: Account, api_key: str, application: Application | None, user_id: int | None) -> KeyOwner:
    """Say whose a key is; without an application it is another tool's."""
    key_owner, _made = KeyOwner.objects.update_or_create(
        account=account, api_key=api_key, defaults={"application": application, "set_by_id": user_id}
    )
    return key_owner


def clear_owner(*, account: Account, api_key: str) -> None:
    """Make a key anybody's again."""
    KeyOwner.objects.filter(account=account, api_key=api_key).delete()
