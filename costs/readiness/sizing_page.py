"""What the sizing page says: the memory that a model needs, and what holds it in January and now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.price_sheets import sheets
from costs.price_sheets.sheets import Sheet
from costs.research.offers import Kinds
from costs.sizing import memory as sizing
from costs.sizing.offers import Rentable
from costs.sizing.offers import first as first_fresh
from lib.formats import ago, count, dollars, span
from providers.models import OfferKind, provider_name

OFFERS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FitRow:
    """A GPU of the sheet that holds the model, with today's price beside the sheet's; `today` is USD a month."""

    fit: sizing.Fit
    today: Decimal | None

    @classmethod
    def of(cls, fit: sizing.Fit, today: Kinds) -> FitRow:
        price = today.get((fit.price.provider, fit.gpu.name, fit.price.kind))
        return cls(fit, None if price is None else price * fit.count * fit.price.hours_per_month)

    @property
    def provider(self) -> str:
        return provider_name(self.fit.price.provider)

    @property
    def kind(self) -> str:
        return str(OfferKind(self.fit.price.kind).label)

    def speed(self) -> SafeString:
        if not self.fit.tokens_per_second:
            return format_html("{}", _("not measured"))
        note = _("one stream: at least that") if self.fit.basis == "single_stream" else ""
        text = '{} <span class="secondary">{}</span>' if note else "{}{}"
        return format_html(text, self.fit.tokens_per_second, note)


@dataclass(frozen=True, slots=True)
class OfferRow:
    """A way to rent enough GPUs now."""

    rentable: Rentable

    @property
    def url(self) -> str:
        """The offers of this vendor, GPU and contract."""
        row = self.rentable
        query = {"provider": row.provider, "gpu": row.gpu, "kind": row.kind}
        return f"{reverse('providers:offers')}?{urlencode(query, quote_via=quote)}"

    def machine_note(self) -> str:
        """What to mind about the number of GPUs; empty where it is what was asked for."""
        if self.rentable.rented > self.rentable.count:
            return _("%(n)s are enough") % {"n": self.rentable.count}
        return _("in one machine, if it has them") if self.rentable.joined else ""

    def speed(self) -> SafeString:
        """Tokens a second of one GPU, with who measured it."""
        speed = self.rentable.speed
        if speed is None:
            return format_html('<span class="none">{}</span>', _("not measured"))
        source = format_html('<a href="{}">{}</a>', speed.url, speed.source) if speed.url else speed.source
        bound = _("one stream, so at least that · ") if speed.bound else ""
        return format_html('{}<span class="secondary">{}{}</span>', span(speed, -1), bound, source)


@dataclass(frozen=True, slots=True)
class SizingPage:
    """How much memory a model needs and what holds it: on the sheet of January, and among the offers of now."""

    model: sheets.Model
    precision: str  # as the form calls it
    need: sizing.Memory
    context_tokens: int
    concurrent: int
    fits: list[sizing.Fit]
    today: Kinds
    seen_at: datetime | None
    rentable: list[Rentable]

    @property
    def offers(self) -> list[OfferRow]:
        return [OfferRow(row) for row in self.rentable[:OFFERS_SHOWN]]

    @property
    def more_offers(self) -> int:
        return max(0, len(self.rentable) - OFFERS_SHOWN)

    @property
    def rows(self) -> list[FitRow]:
        return [FitRow.of(fit, self.today) for fit in self.fits]

    def answer(self) -> SafeString:
        needs = format_html(
            _("{model} in {precision} needs <b>{need} GB</b> for {n} requests of {context} tokens at once"),
            model=self.model.name,
            precision=self.precision,
            need=floatformat(self.need.total, 1),
            n=self.concurrent,
            context=count(self.context_tokens),
        )
        return needs + self._cheapest()

    def _cheapest(self) -> SafeString:
        now = first_fresh(self.rentable)
        if now is not None:
            text = _(
                ". Cheapest offer now: {count} × <b>{gpu}</b> at {vendor}, {kind}, for {hour} an hour,"
                " <b>{month} a month</b>."
            )
            sums = {"hour": dollars(now.per_hour), "month": dollars(now.per_month, 0)}
            return format_html(
                text, count=now.rented, gpu=now.gpu, vendor=now.provider_label, kind=now.kind_label, **sums
            )
        if not self.fits:
            return format_html("{}", _(". No GPU of the sheet holds that, not even eight."))
        fit = self.fits[0]
        text = _(
            ". No current offer. Cheapest reference price (January 2026): {count} × <b>{gpu}</b> from"
            " <b>{low} a month</b>."
        )
        return format_html(text, count=fit.count, gpu=fit.gpu.name, low=dollars(fit.monthly.low, 0))

    def offers_headline(self) -> str:
        return _("Offers now") if self.rentable else _("No offers now")

    def fits_headline(self) -> str:
        if not self.fits:
            return _("No GPU on the sheet is large enough")
        text = ngettext(
            "%(n)s option in the reference prices",
            "%(n)s options in the reference prices, cheapest first",
            len(self.fits),
        )
        return text % {"n": len(self.fits)}

    def fits_source(self) -> SafeString:
        source = _("USD a month · today’s prices include the whole instance")
        if self.seen_at is None:
            return format_html("{}", source)
        return format_html(_("{source} · offers read {ago}"), source=source, ago=ago(self.seen_at))


def matrix(sheet: Sheet) -> list[dict[str, Any]]:
    """Memory of every model at the plain precisions: ours, and the note's."""
    rows = []
    for model in sheet.models:
        noted = {"fp16": model.memory_gb.fp16, "int8": model.memory_gb.int8, "int4": model.memory_gb.int4, "int3": None}
        cells = [{"ours": sizing.memory(model, name).total, "note": note} for name, note in noted.items()]
        rows.append({"model": model, "cells": cells})
    return rows


def purpose(row: sheets.Purpose, sheet: Sheet) -> dict[str, Any]:
    provider, gpu = row.choices
    return {"row": row, "provider": provider_name(provider), "gpu": sheet.gpu(gpu).name}
