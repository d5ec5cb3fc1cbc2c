"""Bills of other vendors as FOCUS files: upload, look at what it becomes, enter, take back."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.bill_imports import page, queries
from costs.bill_imports import services as bill_imports
from costs.bill_imports.services import BillPreview
from costs.dates import today
from costs.focus import NotInstalled
from costs.focus.bill import UnreadableBill
from costs.labels import category_name
from lib.http import form_view, get_view, post_view
from providers.audit import log as audit_log
from providers.models import provider_name

LARGEST = 20 * 1024 * 1024  # bytes
SHOWN = 100


class BillForm(forms.Form):
    """A file that is read before anything is kept."""

    file = forms.FileField(
        label=gettext_lazy("Bill"),
        widget=forms.FileInput(attrs={"accept": ".csv,.parquet"}),
        help_text=gettext_lazy("FOCUS cost and usage, versions 1.0 to 1.4, as CSV or Parquet. At most 20 MB."),
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("This file is empty."),
        },
    )
    content = b""
    looked: BillPreview | None = None

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        self.content = upload.read(LARGEST + 1)
        if len(self.content) > LARGEST:
            raise forms.ValidationError(_("A bill file has at most 20 MB. Export it by month."))
        try:
            self.looked = bill_imports.preview_bill(name=upload.name, content=self.content, today=today())
        except (UnreadableBill, NotInstalled) as error:
            raise forms.ValidationError(str(error)) from error
        return upload


@form_view("costs.view_charge")
def bill_list(request: HttpRequest) -> HttpResponse:
    """All files, and the form for one more."""
    form, may = BillForm(), request.user.has_perm("costs.add_charge")
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        form = BillForm(request.POST, request.FILES)
        if form.is_valid():
            return _kept(request, form)
    rows = queries.newest_imports(SHOWN)
    entered = [row for row in rows if row.entered_at and not row.undone_at]
    context = {
        "rows": [(row, page.state_mark(row, _("previewed"))) for row in rows],
        "answer": page.list_headline(entered),
        "form": form,
        "may": may,
    }
    return render(request, "costs/bill_imports/bills.html", context, status=422 if form.errors else 200)


def _kept(request: HttpRequest, form: BillForm) -> HttpResponse:
    assert form.looked is not None, "a valid form has looked into its file"
    name = form.cleaned_data["file"].name
    made, new = bill_imports.store_bill(name=name, content=form.content, looked=form.looked, by=request.user)
    if new:
        audit_log.log(request, made, added=True)
    else:
        messages.info(request, _("This file was uploaded before."))
    return redirect("costs:bill", made.pk)


@get_view("costs.view_charge")
def bill(request: HttpRequest, pk: int) -> HttpResponse:
    """What a file becomes, or what it brought."""
    bill_import = queries.bill_import(pk)
    problem = ""
    try:
        looked = (
            BillPreview()
            if bill_import.entered_at or bill_import.undone_at
            else bill_imports.preview_again(bill_import, today())
        )
    except (UnreadableBill, NotInstalled) as error:
        looked, problem = BillPreview(), str(error)
    charges = queries.charges_of(bill_import) if bill_import.entered_at else looked.charges
    shown = BillPreview(charges=charges)
    months = shown.sums(lambda charge: f"{charge.day:%Y-%m}")
    context = {
        "it": bill_import,
        "may": request.user.has_perm("costs.add_charge"),
        "answer": problem or page.headline(bill_import, looked, len(charges), shown.amount),
        "state_mark": page.state_mark(bill_import, _("nothing saved yet")),
        "looked": looked,
        "errors": looked.errors[:SHOWN],
        "charges": charges[:SHOWN],
        "count": len(charges),
        "sums": [
            (
                _("By month"),
                [(date_format(date.fromisoformat(f"{name}-01"), "F Y"), amount) for name, amount in months],
            ),
            (_("By provider"), shown.sums(lambda charge: provider_name(charge.provider))),
            (_("By purpose"), shown.sums(lambda charge: category_name(charge.category))),
        ],
    }
    return render(request, "costs/bill_imports/bill.html", context)


@post_view("costs.add_charge")
def bill_enter(request: HttpRequest, pk: int) -> HttpResponse:
    bill_import = queries.bill_import_without_content(pk)
    try:
        entered = bill_imports.enter_bill(pk=pk, today=today(), user=request.user)
    except (UnreadableBill, NotInstalled) as error:
        messages.warning(request, str(error))
        return redirect("costs:bill", pk)
    if entered:
        audit_log.log(request, bill_import, _("saved as entries"))
        messages.success(request, _("Saved. You can undo the import."))
    else:
        messages.info(request, _("Not changed. The file is saved already or has errors."))
    return redirect("costs:bill", pk)


@post_view("costs.add_charge")
def bill_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back what it brought, or put a file away that was only looked at."""
    bill_import = queries.bill_import_without_content(pk)
    why = bill_imports.undo_bill(pk=pk)
    if why:
        messages.warning(request, why)
    else:
        audit_log.log(request, bill_import, _("undone"))
        messages.success(request, _("Import of %(name)s undone.") % {"name": bill_import.file_name})
    return redirect("costs:bills")
