"""One name per GPU whatever a vendor calls it."""

from __future__ import annotations

import pytest

from providers.connectors.gpus import gpu_named


@pytest.mark.parametrize(
    ("text", "said", "name", "memory"),
    [
        ("NVIDIA GeForce RTX 4090", 24, "RTX 4090", 24),
        ("RTX 4090", 24564 / 1024, "RTX 4090", 24),
        ("RTX_4090", None, "RTX 4090", 24),
        ("NVIDIA L4", 23034 / 1024, "L4", 24),
        ("NVIDIA L40S", 48, "L40S", 48),
        ("NVIDIA L40", None, "L40", 48),
        ("nvidia-tesla-t4", None, "T4", 16),
        ("nvidia-tesla-a100", None, "A100 40GB", 40),
        ("nvidia-a100-80gb", None, "A100 80GB", 80),
        ("A100 SXM4", 80.0, "A100 80GB", 80),
        ("NVIDIA A100-SXM4-80GB", 80, "A100 80GB", 80),
        ("NVIDIA H100 80GB HBM3", 80, "H100", 80),
        ("H100 NVL", 95830 / 1024, "H100", 94),
        ("A10 ", 24, "A10", 24),
        ("GH200", 96, "GH200", 96),
        ("Tesla V100", 32, "V100", 32),
        ("NVIDIA RTX 6000 Ada Generation", 48, "RTX 6000 Ada", 48),
        ("AMD Instinct MI300X OAM", 192, "MI300X", 192),
        ("NVIDIA RTX 9999", 64, "RTX 9999", 64),
        ("Something New", None, "Something New", None),
    ],
)
def test_a_gpu_has_one_name(text: str, said: float | None, name: str, memory: int | None) -> None:
    assert gpu_named(text, said) == (name, memory)
