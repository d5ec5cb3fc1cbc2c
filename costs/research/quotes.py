"""The figures that a sheet quotes, row by row with their source: measurements, opinions, list prices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from costs.price_sheets.sheets import Model, Purpose, Quality, Sheet, Span


@dataclass(frozen=True, slots=True)
class Quote:
    slug: str
    section: str
    title: str
    value: str
    unit: str
    source: str


def quotes(sheet: Sheet) -> Iterator[Quote]:
    """Every quoted figure of a sheet, in the sheet's order."""
    for part in (_models, _quantisations, _throughputs, _engines, _quality, _purposes, _gpu_prices, _other_prices):
        yield from part(sheet)
    for part in (_claude, _phases, _stages, _decision, _routing, _recipes, _facts):
        yield from part(sheet)


def _models(sheet: Sheet) -> Iterator[Quote]:
    for model in sheet.models:
        at, name, source = f"model-{model.slug}", model.name, model.source
        yield Quote(f"{at}-parameters", "Models", f"{name}, parameters", f"{model.parameters}", "billion", source)
        for precision, span in _memory(model):
            yield Quote(f"{at}-{precision}", "Models", f"{name}, memory {precision}", str(span), "gb", source)
        yield Quote(f"{at}-ram", "Models", f"{name}, RAM", _or_more(model.ram_gb, model.ram_or_more), "gb", source)
        yield Quote(f"{at}-storage", "Models", f"{name}, storage", f"{model.storage_gb}", "gb", source)
        if model.context_tokens:
            yield Quote(f"{at}-context", "Models", f"{name}, context", f"{model.context_tokens}", "tokens", source)


def _memory(model: Model) -> list[tuple[str, Span]]:
    memory = model.memory_gb
    return [("fp16", memory.fp16), ("int8", memory.int8), ("int4", memory.int4)]


def _or_more(value: int, more: bool) -> str:
    return f"{value}+" if more else f"{value}"


def _quantisations(sheet: Sheet) -> Iterator[Quote]:
    for row in sheet.quantisations:
        at = f"quantisation-{row.slug}"
        saving = f"{row.memory_saving}"
        yield Quote(f"{at}-saving", "Quantisation", f"{row.name}, memory saved", saving, "percent", row.source)
        yield Quote(f"{at}-quality", "Quantisation", f"{row.name}, quality", str(row.quality), "percent", row.source)


def _throughputs(sheet: Sheet) -> Iterator[Quote]:
    for row in sheet.throughputs:
        basis = row.basis.replace("_", " ")
        title = f"{row.model} on {row.hardware_count} x {row.hardware}, {row.engine}, {basis}"
        slug = f"throughput-{row.model}-{row.hardware_count}x{row.hardware}-{row.engine}"
        value = f"~{row.tokens_per_second}" if row.about else str(row.tokens_per_second)
        yield Quote(slug, "Throughput", title, value, "tokens_per_second", row.source)
    for cpu in sheet.cpu_only:
        at, title = f"cpu-{cpu.model}", f"{cpu.model} {cpu.precision} on a CPU"
        yield Quote(at, "Throughput", title, str(cpu.tokens_per_second), "tokens_per_second", cpu.source)
        ram = _or_more(cpu.ram_gb, cpu.ram_or_more)
        yield Quote(f"{at}-ram", "Throughput", f"{title}, RAM", ram, "gb", cpu.source)
        hourly = "not practical" if cpu.price_per_hour is None else f"{cpu.price_per_hour}"
        yield Quote(f"{at}-hourly", "Throughput", f"{title}, an hour", hourly, "usd", cpu.source)


def _engines(sheet: Sheet) -> Iterator[Quote]:
    for engine in sheet.engines:
        for place, claim in enumerate(engine.claims, 1):
            value = "yes" if claim.value is None else str(claim.value)
            title = f"{engine.name}: {claim.text}"
            yield Quote(f"engine-{engine.slug}-{place}", "Engines", title, value, claim.unit, engine.source)


def _quality(sheet: Sheet) -> Iterator[Quote]:
    for row in sheet.quality:
        for name, value, unit in _judgements(row):
            yield Quote(f"quality-{row.model}-{name}", "Quality", f"{row.model}: {name}", value, unit, row.source)


def _judgements(row: Quality) -> Iterator[tuple[str, str, str]]:
    yield "reasoning", row.reasoning, ""
    yield "coding", row.coding, ""
    yield "context", f"{row.context_tokens}", "tokens"
    yield "vision", "yes" if row.vision else "no", ""
    yield "italian", row.italian, ""
    yield "first-token", str(row.first_token_ms), "ms"
    if row.sla is not None:
        yield "sla", f"{row.sla}", "percent"


def _purposes(sheet: Sheet) -> Iterator[Quote]:
    for name, rows in (("engine", sheet.engine_purposes), ("provider", sheet.provider_purposes)):
        for place, row in enumerate(rows, 1):
            yield _purpose(f"{name}-for-{place}", f"{name.capitalize()} for a purpose", row)


def _purpose(slug: str, section: str, row: Purpose) -> Quote:
    value, unit = ", ".join(row.choices), ""
    if row.monthly is not None:
        value, unit = f"{value}: {row.monthly}{'+' if row.monthly_or_more else ''}", "usd"
    return Quote(slug, section, row.purpose, value, unit, row.source)


def _gpu_prices(sheet: Sheet) -> Iterator[Quote]:
    for gpu in sheet.gpus:
        yield Quote(f"gpu-{gpu.slug}-memory", "GPU prices", f"{gpu.name}, memory", f"{gpu.memory_gb}", "gb", "note-2")
    for row in sheet.gpu_prices:
        slug, title = f"hourly-{row.provider}-{row.gpu}-{row.kind}", f"{row.provider} {row.gpu} {row.kind}, an hour"
        yield Quote(slug, "GPU prices", title, str(row.hourly), "usd", row.source)
    for off in sheet.discounts:
        slug, title = f"discount-{off.provider}-{off.kind}", f"{off.provider} {off.kind}, below list"
        yield Quote(slug, "GPU prices", title, str(off.percent), "percent", off.source)


def _other_prices(sheet: Sheet) -> Iterator[Quote]:
    for row in sheet.serverless:
        title = f"{row.provider} serverless{' ' + row.gpu if row.gpu else ''}, a second"
        yield Quote(f"serverless-{row.provider}", "Other prices", title, f"{row.price_per_second}", "usd", row.source)
    for price in (*sheet.vms, *sheet.storages):
        title = f"{price.provider} {price.name}, a month"
        yield Quote(f"monthly-{price.slug}", "Other prices", title, f"{price.monthly}", "usd", price.source)


def _claude(sheet: Sheet) -> Iterator[Quote]:
    for row in sheet.claude:
        prices = {
            "input": row.input,
            "output": row.output,
            "cache write": row.cache_write_5m,
            "cache read": row.cache_read,
        }
        for name, price in prices.items():
            slug = f"claude-{row.slug.removeprefix('claude-')}-{name.replace(' ', '-')}"
            yield Quote(slug, "Claude API", f"{row.name}, {name} per 1M", f"{price}", "usd", row.source)
    off = f"{sheet.batch_discount * 100:f}".rstrip("0").rstrip(".")
    yield Quote("claude-batch", "Claude API", "batch, below list", off, "percent", "note-6")


def _phases(sheet: Sheet) -> Iterator[Quote]:
    for phase in sheet.phases:
        at, source = f"phase-{phase.slug}", phase.source
        upto = "" if phase.volume_to is None else f"{phase.volume_to}"
        volume = f"{phase.volume_from}-{upto}"
        yield Quote(f"{at}-volume", "Plan", f"phase {phase.name}, volume a month", volume, "requests", source)
        budget = str(Span(phase.budget_low, phase.budget_high))
        yield Quote(f"{at}-budget", "Plan", f"phase {phase.name}, budget a month", budget, "usd", source)
        if phase.api_only is not None:
            title = f"phase {phase.name}, API only a month"
            yield Quote(f"{at}-api-only", "Plan", title, str(phase.api_only), "usd", source)


def _stages(sheet: Sheet) -> Iterator[Quote]:
    for stage in sheet.stages:
        title = f"stage {stage.name}, total"
        budget = f"{stage.budget}" if stage.band is None else f"{stage.budget} ({stage.band})"
        yield Quote(f"stage-{stage.slug}", "Plan", title, budget, "usd", stage.source)
    plan = sheet.plan
    yield Quote("plan-monthly", "Plan", "production a month", f"{plan.monthly}", "usd", plan.source)
    yield Quote("plan-api-only", "Plan", "API only, six months", f"{plan.api_only_total}", "usd", plan.source)


def _decision(sheet: Sheet) -> Iterator[Quote]:
    go = sheet.go_no_go
    rows = [
        (
            "quality",
            "quality acceptable for a share of use cases of at least",
            f"{go.quality_share * 100:.0f}",
            "percent",
        ),
        ("latency", "time to first token p95 below", f"{go.first_token_p95_ms}", "ms"),
        ("saving", "saving a month above", f"{go.saving_monthly}", "usd"),
        ("reliability", "reliability above", f"{go.reliability * 100:.0f}", "percent"),
        *((f"no-go-{place}", "no-go if", text, "") for place, text in enumerate(go.no_go, 1)),
        *((f"measure-{place}", "measure", text, "") for place, text in enumerate(go.measures, 1)),
    ]
    for slug, title, value, unit in rows:
        yield Quote(f"go-{slug}", "Go or no-go", title, value, unit, go.source)


def _routing(sheet: Sheet) -> Iterator[Quote]:
    for place, rule in enumerate(sheet.routing, 1):
        yield Quote(f"route-{place}", "Routing", rule.when, rule.to, "", rule.source)


def _recipes(sheet: Sheet) -> Iterator[Quote]:
    for recipe in sheet.recipes:
        stale = ", ".join(recipe.stale)
        value = f"today without: {stale}" if stale else "as today"
        yield Quote(f"recipe-{recipe.slug}", "Recipes", recipe.purpose, value, "", recipe.source)


def _facts(sheet: Sheet) -> Iterator[Quote]:
    for fact in sheet.facts:
        yield Quote(f"fact-{fact.slug}", "Other", fact.title, fact.value or "true", "", fact.source)
