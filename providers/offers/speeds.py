"""What a million tokens cost on a rented GPU: how fast a model runs on it, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Case, F, Value, When
from django.db.models.functions import Round
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from lib.formats import sentences
from providers.models import Deployment, Throughput, usd

MILLION, HOUR_S = Decimal(1_000_000), Decimal(3600)


@dataclass(frozen=True, slots=True)
class Speed:
    """Output tokens a second of one GPU. `bound`: more is possible, so that a price made of it is the most."""

    gpu: str
    low: Decimal
    high: Decimal
    bound: bool
    source: str
    url: str

    @property
    def per_price(self) -> Decimal:
        """What a million tokens cost at a dollar an hour, by the slower figure."""
        return MILLION / (self.low * HOUR_S)

    def words(self) -> str:
        """`L4: 24–30 tokens/s` and who says so."""
        low, high = (floatformat(figure) for figure in (self.low, self.high))
        text = (
            _("{gpu}: {speed} tokens/s for one stream, so an upper limit ({source})")
            if self.bound
            else _("{gpu}: {speed} tokens/s ({source})")
        )
        source = format_html('<a href="{}">{}</a>', self.url, self.source) if self.url else self.source
        return format_html(text, gpu=self.gpu, speed=low if self.low == self.high else f"{low}–{high}", source=source)

    def per_million(self, price: Decimal) -> Decimal:
        """USD per million output tokens of a GPU that is busy all the time, for USD an hour."""
        return price * self.per_price


@dataclass(frozen=True, slots=True)
class ModelSpeeds:
    """A model and how fast it runs, by GPU."""

    slug: str
    name: str
    speeds: Mapping[str, Speed]

    def note(self) -> str:
        """What the column of a million tokens means, and how fast each GPU is taken to be."""
        text = _("M tokens: a million output tokens of {name} on a GPU that is busy all the time.")
        speeds = format_html_join("; ", "{}", ((speed.words(),) for speed in self.speeds.values()))
        return sentences(format_html(text, name=self.name), format_html("{}.", speeds) if speeds else "")


# What is believed most stands last: all streams before one, our own deployments before what was published.
OURS = "ours"
ORDER = (Throughput.Basis.SINGLE_STREAM.value, Throughput.Basis.AGGREGATE.value, OURS)


def catalogue() -> dict[str, ModelSpeeds]:
    """Models whose speed is known on any GPU, by their names for programs. One statement."""
    published = Throughput.objects.values_list(
        "model", "name", "gpu", "gpu_count", "engine", "low", "high", "basis", "source", "source_url"
    )
    own = Deployment.objects.filter(tokens_per_second__gt=0, lease__isnull=False).values_list(
        "model", "model", "lease__gpu", Value(1), "engine", "tokens_per_second", "tokens_per_second", Value(OURS),
        "name", "slug",
    )  # fmt: skip
    rows: list[Any] = list(published.order_by().union(own.order_by(), all=True))
    rows.sort(key=lambda row: (ORDER.index(row[7]), row[5]))
    names: dict[str, str] = {}
    speeds: dict[str, dict[str, Speed]] = {}
    for model, name, *speed in rows:
        names.setdefault(model, name)
        speeds.setdefault(model, {})[speed[0]] = speed_of(*speed)
    return {
        slug: ModelSpeeds(slug, names[slug], speeds[slug])
        for slug in sorted(names, key=lambda slug: names[slug].lower())
    }


def speed_of(
    gpu: str, gpu_count: int, engine: str, low: float, high: float, basis: str, source: str, address: str
) -> Speed:
    """`source` and `address` are a deployment's name and slug where the speed is of one of ours."""
    slow, quick = (Decimal(str(rate)) / gpu_count for rate in (low, high))
    if basis == OURS:
        words = _("deployment %(name)s") % {"name": source}
        return Speed(gpu, slow, quick, False, words, reverse("providers:deployment", args=[address]))
    words = _("%(source)s, %(engine)s") % {"source": source, "engine": engine}
    return Speed(gpu, slow, quick, basis == Throughput.Basis.SINGLE_STREAM, words, address)


def per_million_value(speeds: Mapping[str, Speed]) -> Any:
    """The same for a statement over `Offer`; NULL where the GPU's speed is not known."""
    whens = [
        When(gpu=gpu, then=F("whole_per_gpu_hour") * Value(speed.per_price.quantize(Decimal("0.000000000001"))))
        for gpu, speed in speeds.items()
    ]
    return Round(Case(*whens, default=None, output_field=usd()), precision=9)
