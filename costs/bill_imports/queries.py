"""Reads of bills that came as files."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from costs.models import BillImport, Charge


def newest_imports(most: int) -> list[BillImport]:
    """Without their content, which is large."""
    return list(BillImport.objects.select_related("by").defer("content")[:most])


def bill_import(pk: int) -> BillImport:
    """With its content; raises Http404."""
    return get_object_or_404(BillImport.objects.select_related("by"), pk=pk)


def bill_import_without_content(pk: int) -> BillImport:
    """Raises Http404."""
    return get_object_or_404(BillImport.objects.defer("content"), pk=pk)


def charges_of(bill_import: BillImport) -> list[Charge]:
    """What it brought, by day."""
    return list(bill_import.charges.order_by("day", "pk"))
