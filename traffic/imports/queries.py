"""Reads of imports: the files that people brought, and the lines of them that were set aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Sum
from django.shortcuts import get_object_or_404

from traffic.models import Import
from traffic.models.imports import ImportState

SHOWN = 100


class Totals(NamedTuple):
    """Of all files that were begun and not taken back: how many there are, and how many requests they brought."""

    files: int
    requests: int


def latest_imports() -> list[Import]:
    return list(Import.objects.select_related("by")[:SHOWN])


def totals() -> Totals:
    begun = Import.objects.exclude(state__in=(ImportState.DRAFT, ImportState.UNDONE))
    requests = begun.aggregate(n=Sum("accepted"))["n"] or 0
    return Totals(begun.count(), requests)


def get_import(pk: int) -> Import:
    """Raises Http404."""
    return get_object_or_404(Import.objects.select_related("by"), pk=pk)


def lines_set_aside(imported: Import) -> Iterator[tuple[int, str]]:
    """Number of the line and what is wrong with it, read as they are asked for."""
    return imported.set_aside.values_list("line", "words").iterator()
