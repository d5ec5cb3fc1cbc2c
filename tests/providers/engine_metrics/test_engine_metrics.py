"""Scrapes of the servers that have metrics, in our words."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from math import inf

import pytest

from providers.engines import ENGINES, EngineClient, EngineSample, Fault, Target, engine_of
from providers.engines.growth import growth, quantile
from tests.providers import engine_stubs as stubs
from tests.providers.engine_stubs import Answer, Stub, as_json, as_text, serving


def scrape(kind: str, stub: Stub, model: str = "") -> EngineSample:
    async def read() -> EngineSample:
        async with EngineClient() as client:
            return await engine_of(kind).scrape(client, Target(stub.url, model, local=True, timeout_s=5))

    with serving(stub):
        return asyncio.run(read())


def test_vllm_is_read_over_all_its_ranks() -> None:
    assert scrape("vllm", stubs.vllm(), "qwen") == EngineSample(
        running=5.0,
        waiting=4.0,
        kv_cache=0.75,
        prompt_tokens_total=536.0,
        cached_tokens_total=128.0,
        output_tokens_total=88.0,
        requests_total=10.0,
        failed_total=1.0,
        preemptions_total=1.0,
        ttft_buckets=((0.1, 4.0), (0.5, 9.0), (inf, 10.0)),
        started_at=datetime.fromtimestamp(1.7955e9, UTC),
    )


def test_another_models_series_are_not_ours() -> None:
    sample = engine_of("vllm").sample(stubs.VLLM_METRICS, "another")
    assert (sample.running, sample.output_tokens_total) == (None, None)


def test_the_names_of_older_vllm_servers_are_known() -> None:
    old = 'vllm:gpu_cache_usage_perc{model_name="qwen"} 0.5\nvllm:num_requests_running{model_name="qwen"} 1\n'
    assert engine_of("vllm").sample(old, "qwen").kv_cache == 0.5


def test_sglang_is_read_over_all_its_caches() -> None:
    assert scrape("sglang", stubs.sglang(), "qwen") == EngineSample(
        running=6.0,
        waiting=2.0,
        kv_cache=0.28,
        prompt_tokens_total=8128.0,
        cached_tokens_total=500.0,
        output_tokens_total=7557.0,
        requests_total=40.0,
        failed_total=3.0,
        ttft_buckets=((0.1, 10.0), (1.0, 30.0), (inf, 40.0)),
        started_at=datetime.fromtimestamp(1.7955e9, UTC),
    )


def test_lmdeploy_is_read_over_all_its_engines() -> None:
    assert scrape("lmdeploy", stubs.lmdeploy(), "qwen") == EngineSample(
        running=7.0,
        waiting=1.0,
        kv_cache=0.6,
        prompt_tokens_total=900.0,
        output_tokens_total=300.0,
        ttft_buckets=((0.1, 2.0), (inf, 5.0)),
        started_at=datetime.fromtimestamp(1.7955e9, UTC),
    )


def test_tgi_counters_lack_their_suffix_and_labels() -> None:
    sample = scrape("tgi", stubs.tgi())
    assert sample == EngineSample(
        running=8.0,
        waiting=5.0,
        prompt_tokens_total=2400.0,
        output_tokens_total=960.0,
        requests_total=12.0,
        failed_total=3.0,
    )


def test_llama_cpp_prompt_tokens_include_those_from_the_cache_as_everywhere() -> None:
    text = "llamacpp:prompt_tokens_total 100\nllamacpp:prompt_tokens_cached_total 40\nllamacpp:requests_processing 1\n"
    sample = engine_of("llamacpp").sample(text, "tiny")
    assert (sample.prompt_tokens_total, sample.cached_tokens_total, sample.running) == (140.0, 40.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (as_json({"error": {"type": "not_supported_error"}}, 501), "switched off: start it with --metrics"),
        (as_json({}, 401), "requires a key"),
        (as_text("<html>Welcome</html>", content_type="text/html"), "not with metrics of vLLM"),
        (Answer(), "not with metrics of vLLM"),
        (as_text('vllm:num_requests_running{model_name="qwen" 3\n'), "cannot be read"),
        (as_text("vllm:num_requests_running three\n"), "cannot be read"),
    ],
)
def test_a_scrape_that_fails_says_why(answer: Answer, sentence: str) -> None:
    with pytest.raises(Fault) as fault:
        scrape("vllm", Stub({"GET /metrics": answer}))
    assert sentence in fault.value.cause


def test_values_that_are_no_numbers_are_unknown() -> None:
    assert engine_of("vllm").sample("vllm:kv_cache_usage_perc NaN\n", "").kv_cache is None


@pytest.mark.parametrize("kind", [kind for kind in ENGINES if engine_of(kind).has_metrics])
def test_every_engine_with_metrics_refuses_a_page(kind: str) -> None:
    with pytest.raises(Fault):
        engine_of(kind).sample("<html>", "")


BUCKETS = ((0.1, 4.0), (0.5, 9.0), (inf, 10.0))


def test_counters_grow_by_what_lies_between_two_scrapes() -> None:
    before = EngineSample(output_tokens_total=10, requests_total=1, preemptions_total=2)
    grown = growth(before, EngineSample(output_tokens_total=15, requests_total=1, failed_total=4, preemptions_total=2))
    assert (grown.output_tokens, grown.requests, grown.preemptions, grown.restarted) == (5, 0, 0, False)
    # Not told before, so what it grew by is not known.
    assert (grown.failed, grown.prompt_tokens) == (None, None)


def test_one_counter_that_fell_means_that_all_of_them_began_again() -> None:
    before = EngineSample(output_tokens_total=100, requests_total=2, ttft_buckets=BUCKETS)
    grown = growth(before, EngineSample(output_tokens_total=30, requests_total=3, ttft_buckets=BUCKETS))
    assert (grown.output_tokens, grown.requests, grown.restarted) == (30, 3, True)
    assert sum(grown.ttft.values()) == 10


def test_a_later_start_of_the_process_is_a_restart_whatever_the_counters_say() -> None:
    early, late = (datetime(2026, 11, 10, hour, tzinfo=UTC) for hour in (9, 10))
    before = EngineSample(output_tokens_total=10, started_at=early)
    assert growth(before, EngineSample(output_tokens_total=12, started_at=late)).output_tokens == 12
    assert growth(before, EngineSample(output_tokens_total=12, started_at=early)).output_tokens == 2


def test_a_quantile_is_of_the_requests_between_two_scrapes() -> None:
    after = ((0.1, 4.0), (0.5, 19.0), (inf, 20.0))
    grown = growth(EngineSample(ttft_buckets=BUCKETS), EngineSample(ttft_buckets=after)).ttft
    assert grown == {0.1: 0.0, 0.5: 10.0}
    assert quantile(grown, 0.5) == pytest.approx(0.3)
    assert quantile({0.1: 10.0}, 0.95) == pytest.approx(0.095)
    assert quantile({}, 0.95) is None
    # Beyond the last bound nothing can be said but "at least".
    assert quantile({0.1: 0.0, inf: 4.0}, 0.95) == 0.1


def test_a_server_that_changed_its_buckets_begins_from_zero() -> None:
    after = EngineSample(ttft_buckets=((0.25, 3.0), (inf, 3.0)))
    assert growth(EngineSample(ttft_buckets=BUCKETS), after).ttft == {0.25: 3.0}


def test_a_sample_is_the_same_after_it_was_kept_as_json() -> None:
    sample = engine_of("vllm").sample(stubs.VLLM_METRICS, "qwen")
    assert EngineSample.from_json(json.loads(json.dumps(sample.as_json()))) == sample
