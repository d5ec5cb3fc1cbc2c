"""What the page says before an account is removed, and the form that asks for its name."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.account_removal.services import Brought
from lib.formats import count, dollars
from lib.money import ZERO
from providers.models import Account


class NameForm(forms.Form):
    """A person's word that an account is to be removed: its name, typed."""

    name = forms.CharField(label=gettext_lazy("Name of the account"), max_length=100)

    def __init__(self, data: Any, *, account: Account) -> None:
        super().__init__(data)
        self.account = account
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        self.fields["name"].help_text = _("Type %(name)s to confirm.") % {"name": account.name}

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != self.account.name:
            raise forms.ValidationError(_("The name does not match."))
        return name


@dataclass(frozen=True, slots=True)
class RemovalPage:
    account: Account
    brought: Brought

    @property
    def billed(self) -> Decimal:
        """USD of the billed lines that go, as the rows of the months show them."""
        return sum((round(billed or ZERO, 2) for _month, billed, _estimated in self.brought.months), ZERO)

    @property
    def estimated(self) -> Decimal:
        """USD of the estimated ones."""
        return sum((round(estimated or ZERO, 2) for _month, _billed, estimated in self.brought.months), ZERO)

    def answer(self) -> str:
        text = _(
            "Removing <b>{name}</b> removes <b>{billed}</b> of billed cost (leases: {leases}, bill lines: {lines},"
            " usage rows: {usage}). Estimates of {estimated} go too. They count only for days that no bill covers"
            " yet. You can undo this for a day."
        )
        return format_html(
            text,
            name=self.account.name,
            leases=count(self.brought.leases),
            lines=count(self.brought.bill_lines),
            usage=count(self.brought.usage_rows),
            billed=dollars(self.billed),
            estimated=dollars(self.estimated),
        )

    def stays(self) -> list[str]:
        """What only names the account, or is of people or other sources."""
        rows = [_("The request log and its measured cost."), _("Manual entries.")]
        if self.brought.closed_lines:
            text = _("%(n)s lines of months closed by an invoice.")
            rows.append(text % {"n": count(self.brought.closed_lines)})
        if self.brought.deployments:
            names = ", ".join(self.brought.deployments)
            rows.append(
                _("Deployments on its leases, with their checks: %(names)s. They lose the lease.") % {"names": names}
            )
        return rows
