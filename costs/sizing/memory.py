"""How much memory a model needs and which GPUs hold it: weights, KV cache and overhead. GB are 10^9 bytes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costs.price_sheets.sheets import Gpu, GpuPrice, Model, Sheet, Span

GB = Decimal(10**9)
# CUDA context, buffers and activations of one GPU; engines differ by some half GB around it.
OVERHEAD = Decimal("0.9")
# An engine leaves a part of a GPU's memory alone; vLLM's default is to take nine tenths.
USABLE = Decimal("0.9")
COUNTS = (1, 2, 4, 8)  # tensor parallel splits attention heads evenly

# Bits of one weight. The plain ones are how the research counts; the others are what the files really take, scales
# included (llama.cpp's own measurements on Llama 2; AWQ with one 16-bit scale and a zero point per 128 weights).
BITS: dict[str, Decimal] = {
    "fp16": Decimal(16),
    "int8": Decimal(8),
    "int4": Decimal(4),
    "int3": Decimal(3),
    "q8_0": Decimal("8.5"),
    "q4_k_m": Decimal("4.84"),
    "q3_k_m": Decimal("3.91"),
    "awq": Decimal("4.16"),
}


@dataclass(frozen=True, slots=True)
class Memory:
    """GB of one deployment on one GPU."""

    weights: Decimal
    kv_cache: Decimal
    overhead: Decimal

    @property
    def total(self) -> Decimal:
        return self.weights + self.kv_cache + self.overhead


@dataclass(frozen=True, slots=True)
class Fit:
    """A GPU of a sheet that holds a model: how many, what a month costs, how much room is left."""

    price: GpuPrice
    gpu: Gpu
    count: int
    concurrency: int  # sequences of the asked context that fit at once
    monthly: Span
    tokens_per_second: Span | None  # the sheet's measurement, None where it has none
    basis: str  # of that measurement: `single_stream` is only a lower bound


def memory(
    model: Model, precision: str = "fp16", *, context_tokens: int = 0, concurrency: int = 1, kv_bits: int = 16
) -> Memory:
    """Memory of a model at a precision of `BITS`; without context it is weights and overhead alone.

    Raises KeyError for an unknown precision.
    """
    weights = model.weights * BITS[precision] / 8
    return Memory(weights, kv_per_token(model, kv_bits) * context_tokens * concurrency, OVERHEAD)


def kv_per_token(model: Model, kv_bits: int = 16) -> Decimal:
    """GB that one token of context takes: a key and a value in every layer for every KV head."""
    return Decimal(2 * model.layers * model.kv_heads * model.head_size * kv_bits) / 8 / GB


def gpus_needed(need: Memory, gpu_memory_gb: Decimal) -> int | None:
    """How many GPUs share weights and cache evenly, each with its own overhead; None where even eight do not."""
    room = gpu_memory_gb * USABLE - need.overhead
    return next((count for count in COUNTS if (need.weights + need.kv_cache) / count <= room), None)


def concurrency(model: Model, precision: str, gpu_memory_gb: Decimal, count: int, context_tokens: int) -> int:
    """Sequences of this many tokens that fit at once beside the weights; 0 where not even one does."""
    need = memory(model, precision)
    room = (gpu_memory_gb * USABLE - need.overhead) * count - need.weights
    each = kv_per_token(model) * context_tokens
    return max(0, int(room / each)) if each else 0


def fits(sheet: Sheet, model: Model, precision: str, *, context_tokens: int, concurrent: int = 1) -> list[Fit]:
    """Every GPU price of a sheet that can hold the model with so many sequences at once, the cheapest month first."""
    need = memory(model, precision, context_tokens=context_tokens, concurrency=concurrent)
    rows = []
    for price in sheet.gpu_prices:
        gpu = sheet.gpu(price.gpu)
        count = gpus_needed(need, Decimal(gpu.memory_gb))
        if count is not None:
            rows.append(_fit(sheet, model, precision, price, gpu, count, context_tokens))
    return sorted(rows, key=lambda fit: (fit.monthly.low, fit.monthly.high))


def _fit(sheet: Sheet, model: Model, precision: str, price: GpuPrice, gpu: Gpu, count: int, context_tokens: int) -> Fit:
    month = price.monthly_computed()
    measured = next(
        (t for t in sheet.throughputs if (t.model, t.hardware, t.hardware_count) == (model.slug, gpu.slug, count)), None
    )
    return Fit(
        price=price,
        gpu=gpu,
        count=count,
        concurrency=concurrency(model, precision, Decimal(gpu.memory_gb), count, context_tokens),
        monthly=Span(month.low * count, month.high * count),
        tokens_per_second=measured.tokens_per_second if measured else None,
        basis=measured.basis if measured else "",
    )
