"""One name per GPU, whatever a vendor calls it, and its memory where the vendor does not say."""

from __future__ import annotations

import re

# Our name -> GB. Longest first where one name is the beginning of another.
MEMORY_GB: dict[str, int] = {
    "RTX PRO 6000": 96,
    "RTX 6000 Ada": 48,
    "RTX 4000 Ada": 20,
    "RTX A6000": 48,
    "RTX A5000": 24,
    "RTX A4000": 16,
    "RTX 5090": 32,
    "RTX 5080": 16,
    "RTX 4090": 24,
    "RTX 4080": 16,
    "RTX 3090": 24,
    "A100 40GB": 40,
    "A100 80GB": 80,
    "GH200": 96,
    "GB200": 186,
    "H200": 141,
    "H100": 80,
    "B200": 180,
    "B300": 288,
    "MI300X": 192,
    "MI325X": 256,
    "L40S": 48,
    "L40": 48,
    "L4": 24,
    "A40": 48,
    "A10": 24,
    "A30": 24,
    "V100": 16,
    "P100": 16,
    "T4": 16,
}

_NOISE = re.compile(r"\b(nvidia|geforce|tesla|quadro|amd|instinct|generation)\b", re.IGNORECASE)


def gpu_named(text: str, memory_gb: float | None = None) -> tuple[str, int | None]:
    """Our name and the memory in GB of what a vendor calls `text`.

    An A100 comes in two sizes: the text or `memory_gb` tells which. A GPU that is not in the table keeps the vendor's
    name without the maker's.
    """
    words = " ".join(_NOISE.sub(" ", text.replace("_", " ").replace("-", " ")).split())
    name = _known(words.upper(), memory_gb) or words
    return name, _memory(MEMORY_GB.get(name), memory_gb)


def _known(words: str, memory_gb: float | None) -> str | None:
    if "A100" in words:
        return "A100 80GB" if "80GB" in words or (memory_gb or 0) > 60 else "A100 40GB"
    for name in MEMORY_GB:
        plain = name.upper().replace(" ", r"\s*")
        if re.search(rf"(?<![A-Z0-9]){plain}(?![A-Z0-9])", words):
            return name
    return None


def _memory(listed: int | None, reported: float | None) -> int | None:
    """Vendors say what a driver leaves free, a little below what is on the box; another size is another card."""
    if reported is None or (listed and abs(reported - listed) / listed < 0.12):
        return listed
    return round(reported)
