"""Memory of models and the GPUs that hold them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs.price_sheets.sheets import load
from costs.sizing.memory import BITS, COUNTS, Memory, concurrency, fits, gpus_needed, kv_per_token, memory

SHEET = load()
MODELS = {model.slug: model for model in SHEET.models}


@pytest.mark.parametrize("slug", MODELS)
@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
def test_weights_and_overhead_come_out_at_the_table_within_two_gb(slug: str, precision: str) -> None:
    model = MODELS[slug]
    span = getattr(model.memory_gb, precision)
    assert span.low - 2 <= memory(model, precision).total <= span.high + 2


def test_grouped_heads_make_the_cache_of_mistral_a_quarter_of_llamas() -> None:
    assert kv_per_token(MODELS["llama-7b"]) == 4 * kv_per_token(MODELS["mistral-7b"])
    # 32 layers x 8 heads x 128 x 2 x 2 bytes = 131,072 bytes a token.
    assert memory(MODELS["mistral-7b"], context_tokens=32_000).kv_cache == Decimal("4.194304")


def test_the_cache_grows_with_context_and_concurrency_and_shrinks_with_its_bits() -> None:
    model = MODELS["llama-13b"]
    one = memory(model, context_tokens=1000).kv_cache
    assert memory(model, context_tokens=2000, concurrency=3).kv_cache == 6 * one
    assert memory(model, context_tokens=1000, kv_bits=8).kv_cache == one / 2


def test_a_70b_model_in_16_bit_needs_two_of_the_largest_gpus_and_in_4_bit_one() -> None:
    model = MODELS["llama-70b"]
    assert gpus_needed(memory(model, "fp16"), Decimal(80)) == 2
    assert gpus_needed(memory(model, "int4"), Decimal(80)) == 1
    assert gpus_needed(memory(model, "fp16"), Decimal(16)) is None


def test_the_7b_in_4_bit_fits_a_t4_and_in_16_bit_does_not() -> None:
    assert gpus_needed(memory(MODELS["llama-7b"], "int4", context_tokens=4000), Decimal(16)) == 1
    assert gpus_needed(memory(MODELS["llama-7b"], "fp16", context_tokens=4000), Decimal(16)) == 2


def test_the_cheapest_month_stands_first_and_a_lower_bound_is_named() -> None:
    found = fits(SHEET, MODELS["mistral-7b"], "q4_k_m", context_tokens=8000, concurrent=8)
    lows = [fit.monthly.low for fit in found]
    assert lows == sorted(lows)
    runpod = next(fit for fit in found if (fit.price.provider, fit.gpu.slug) == ("runpod", "rtx-4090"))
    assert (runpod.count, runpod.monthly.low, runpod.basis) == (1, Decimal("248.20"), "single_stream")
    assert runpod.concurrency >= 8


def test_without_room_no_sequence_fits() -> None:
    assert concurrency(MODELS["llama-70b"], "fp16", Decimal(16), 1, 4000) == 0


def test_an_unknown_precision_is_an_error() -> None:
    with pytest.raises(KeyError):
        memory(MODELS["llama-7b"], "int1")


@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(sorted(BITS)),
    st.integers(0, 200_000),
    st.integers(1, 64),
    st.sampled_from([16, 24, 40, 80]),
)
def test_what_is_said_to_fit_has_room_for_what_was_asked(
    slug: str, precision: str, context: int, sequences: int, gpu_gb: int
) -> None:
    model = MODELS[slug]
    need = memory(model, precision, context_tokens=context, concurrency=sequences)
    count = gpus_needed(need, Decimal(gpu_gb))
    if count is None:
        return
    assert count in COUNTS
    assert need.weights + need.kv_cache <= count * Decimal(gpu_gb)
    if context:
        assert concurrency(model, precision, Decimal(gpu_gb), count, context) >= sequences


def test_the_total_memory_is_the_sum_of_its_parts() -> None:
    assert Memory(Decimal(1), Decimal(2), Decimal(3)).total == 6
