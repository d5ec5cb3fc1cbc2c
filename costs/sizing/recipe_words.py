"""What the recipes share: where each model is found, what is asked, and how a command is put together. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from costs.sizing.memory import Memory

KEY = "$LLM_KEY"
TOKEN = "$HF_TOKEN"  # noqa: S105  # the name of a variable


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model of the research is found: its weights, a 4-bit AWQ of them, GGUF files, Ollama's name."""

    plain: str
    awq: str
    gguf: str
    ollama: str
    gated: bool = False


WEIGHTS: dict[str, Weights] = {
    "mistral-7b": Weights(
        "mistralai/Mistral-7B-Instruct-v0.3",
        "solidrust/Mistral-7B-Instruct-v0.3-AWQ",
        "bartowski/Mistral-7B-Instruct-v0.3-GGUF",
        "mistral:7b-instruct-v0.3",
    ),
    "llama-7b": Weights(
        "meta-llama/Llama-2-7b-chat-hf", "TheBloke/Llama-2-7B-Chat-AWQ", "TheBloke/Llama-2-7B-Chat-GGUF",
        "llama2:7b-chat", gated=True,
    ),
    "llama-13b": Weights(
        "meta-llama/Llama-2-13b-chat-hf", "TheBloke/Llama-2-13B-chat-AWQ", "TheBloke/Llama-2-13B-chat-GGUF",
        "llama2:13b-chat", gated=True,
    ),
    "llama-70b": Weights(
        "meta-llama/Llama-2-70b-chat-hf", "TheBloke/Llama-2-70B-Chat-AWQ", "TheBloke/Llama-2-70B-Chat-GGUF",
        "llama2:70b-chat", gated=True,
    ),
}  # fmt: skip
# What each precision of the sizing is called by the engines: llama.cpp's file, and what vLLM is to do.
GGUF = {"fp16": "Q8_0", "int8": "Q8_0", "q8_0": "Q8_0", "int4": "Q4_K_M", "awq": "Q4_K_M", "q4_k_m": "Q4_K_M",
        "int3": "Q3_K_M", "q3_k_m": "Q3_K_M"}  # fmt: skip
OLLAMA = {name: f"q{kind[1]}{kind[2:]}" for name, kind in GGUF.items()} | {
    "fp16": "fp16",
    "int8": "q8_0",
    "q8_0": "q8_0",
}
FOUR_BITS = ("int4", "awq", "q4_k_m", "int3", "q3_k_m")
EIGHT_BITS = ("int8", "q8_0")


@dataclass(frozen=True, slots=True)
class RecipeSetup:
    """What is to be served. `checkpoint` is one of the asker's own in place of ours, in whatever characters it was
    typed: every command quotes it. `need` decides which GPU a vendor's command rents.
    """

    model: str
    precision: str
    context_tokens: int
    concurrent: int
    gpus: int = 1
    checkpoint: str = ""
    need: Memory | None = None

    @property
    def weights(self) -> Weights:
        return WEIGHTS[self.model]


@dataclass(frozen=True, slots=True)
class Recipe:
    slug: str
    title: str
    purpose: str
    command: str
    traps: tuple[str, ...]


def lines(*parts: str) -> str:
    """One command over several lines."""
    return " \\\n  ".join(part for part in parts if part)


def vllm_arguments(setup: RecipeSetup, gpus: int = 0) -> Iterator[str]:
    """Words for `vllm serve`, which the image runs, unquoted; on as many GPUs as asked, or on so many."""
    yield vllm_model(setup)
    yield from ("--served-model-name", setup.model)
    yield from ("--max-model-len", str(setup.context_tokens))
    yield from ("--max-num-seqs", str(setup.concurrent))
    if setup.precision in EIGHT_BITS:
        yield from ("--quantization", "fp8")
    if (gpus or setup.gpus) > 1:
        yield from ("--tensor-parallel-size", str(gpus or setup.gpus))


def by_option(words: Iterator[str]) -> Iterator[str]:
    """Quoted words as one part for each option, with its value."""
    part: list[str] = []
    for word in words:
        if word.startswith("--") and part:
            yield shlex.join(part)
            part = []
        part.append(word)
    yield shlex.join(part)


def vllm_model(setup: RecipeSetup) -> str:
    if setup.checkpoint:
        return setup.checkpoint
    return setup.weights.awq if setup.precision in FOUR_BITS else setup.weights.plain
