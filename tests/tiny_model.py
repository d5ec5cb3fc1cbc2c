"""A model file of half a megabyte that llama.cpp loads in milliseconds: right in form, random in content.

Its answers are gibberish of exactly as many tokens as were asked for, since its end token is as unlikely as can be.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

WIDTH, LAYERS, HIDDEN, HEADS, CONTEXT = 64, 2, 128, 4, 4096
WORDS = "the price of a token and its model is in our ledger hello world what does it cost today".split()
TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)

Token = tuple[str, float, gguf.TokenType]


def write_tiny_model(path: Path, seed: int = 7) -> Path:
    """Writes a random two-layer llama with a vocabulary of its own and returns `path`."""
    tokens = list(vocabulary())
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, tokens)
    for name, weights in tensors(len(tokens), np.random.default_rng(seed)):
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary() -> Iterator[Token]:
    """SentencePiece in small: control tokens, every byte as a fallback, letters, and words with all their beginnings.

    The tokenizer joins pieces pairwise, so a word is found only when each shorter piece on the way is a token too.
    """
    yield "<unk>", 0.0, gguf.TokenType.UNKNOWN
    yield "<s>", 0.0, gguf.TokenType.CONTROL
    yield "</s>", 0.0, gguf.TokenType.CONTROL
    for byte in range(256):
        yield f"<0x{byte:02X}>", -1e3, gguf.TokenType.BYTE
    pieces = ["▁", *(letter for letter in string.printable if letter.isprintable() and letter != " ")]
    for word in WORDS:
        pieces += [f"▁{word}"[:end] for end in range(2, len(word) + 2)]
    for piece in dict.fromkeys(pieces):
        yield piece, -1.0 / len(piece), gguf.TokenType.NORMAL


def tensors(vocabulary_size: int, random: np.random.Generator) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Names as llama.cpp knows them, weights small enough that activations stay tame."""

    def matrix(rows: int, columns: int, scale: float = 0.08) -> npt.NDArray[np.float32]:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    ones = np.ones(WIDTH, dtype=np.float32)
    output = matrix(vocabulary_size, WIDTH, 0.5)
    output[:259] = 0  # control and byte tokens: their score is the mean, below many a letter's
    yield "token_embd.weight", matrix(vocabulary_size, WIDTH, 0.5)
    yield "output_norm.weight", ones
    yield "output.weight", output
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", ones
        yield f"{block}.ffn_norm.weight", ones
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}.{part}.weight", matrix(WIDTH, WIDTH)
        yield f"{block}.ffn_gate.weight", matrix(HIDDEN, WIDTH)
        yield f"{block}.ffn_up.weight", matrix(HIDDEN, WIDTH)
        yield f"{block}.ffn_down.weight", matrix(WIDTH, HIDDEN)


def _describe(writer: gguf.GGUFWriter, tokens: list[Token]) -> None:
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    names, scores, kinds = zip(*tokens, strict=True)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(list(names))
    writer.add_token_scores(list(scores))
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)
