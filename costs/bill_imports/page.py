"""What the pages of bills that came as files say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.bill_imports.services import BillPreview
from costs.models import BillImport
from lib.formats import count, dollars, state


def headline(bill_import: BillImport, looked: BillPreview, charges: int, amount: Decimal) -> str:
    """What the file becomes or brought: how many charges, or how many of its rows cannot be entered."""
    if bill_import.undone_at:
        text = _("<b>{name}</b> is undone and does not count.")
    elif looked.errors:
        text = ngettext(
            "<b>1 row</b> of {rows} has an error, so nothing was saved.",
            "<b>{errors} rows</b> of {rows} have errors, so nothing was saved.",
            len(looked.errors),
        )
    else:
        text = ngettext(
            "<b>{name}</b> has <b>1 entry</b> of <b>{amount}</b>.",
            "<b>{name}</b> has <b>{charges} entries</b> of <b>{amount}</b>.",
            charges,
        )
    return format_html(
        text,
        name=bill_import.file_name,
        rows=count(bill_import.rows),
        errors=len(looked.errors),
        charges=charges,
        amount=dollars(amount),
    )


def state_mark(bill_import: BillImport, waiting: str) -> SafeString:
    """How far the file has come; `waiting` is the word for one of which nothing is entered yet."""
    if bill_import.undone_at:
        return state("unknown", _("undone"))
    return state("ok", _("entered")) if bill_import.entered_at else state("info", waiting)


def list_headline(entered: Sequence[BillImport]) -> str:
    """How many bills count, and what they come to."""
    if not entered:
        return _("No bill files yet. A FOCUS file becomes ledger entries by day.")
    text = ngettext(
        "<b>1 bill file</b> of <b>{amount}</b>.",
        "<b>{n} bill files</b> of <b>{amount}</b>.",
        len(entered),
    )
    return format_html(text, n=len(entered), amount=dollars(sum(row.amount for row in entered)))
