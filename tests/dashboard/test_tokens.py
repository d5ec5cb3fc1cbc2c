"""The tokens hold what they promise: contrast in both themes, equal dark copies, series told apart by every eye."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "static" / "css"
TOKEN = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6});")
STATES = ("ok", "warn", "bad", "unknown")
SERIES = [f"series-{n}" for n in range(1, 7)]

# Viénot, Brettel and Mollon 1999: what a dichromat sees of a linear RGB colour.
SIGHT = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    "deutan": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
}


def themes() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", (CSS / "tokens.css").read_text())
    light, dark, chosen_dark = (dict(TOKEN.findall(block)) for block in blocks if "--paper" in block)
    return light, dark, chosen_dark


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def contrast(one: str, other: str) -> float:
    bright = [sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)]
    return (max(bright) + 0.05) / (min(bright) + 0.05)


def lab(rgb: list[float]) -> tuple[float, float, float]:
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (sum(m * max(c, 0) for m, c in zip(row, rgb, strict=True)) for row in rows)
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x / 0.9505, y, z / 1.089))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: str, other: str, sight: str) -> float:
    seen = [
        lab([sum(m * c for m, c in zip(row, linear(x), strict=True)) for row in SIGHT[sight]]) for x in (one, other)
    ]
    return float(sum((p - q) ** 2 for p, q in zip(*seen, strict=True)) ** 0.5)


def text_pairs() -> list[tuple[str, str]]:
    words = ["ink", "ink-2", "ink-3", "accent", *(f"{s}-ink" for s in STATES)]
    pairs = list(itertools.product(words, ("paper", "sunken", "raised")))
    pairs += [(f"{s}-ink", f"{s}-soft") for s in STATES] + [("ink", f"{s}-soft") for s in (*STATES, "accent")]
    pairs += [("ink-2", f"{s}-soft") for s in (*STATES, "accent")]
    return [*pairs, ("accent-ink", "accent"), ("paper", "ink"), ("accent", "accent-soft"), ("ink-2", "band")]


def shape_pairs() -> list[tuple[str, str]]:
    marks = ["rule-strong", "accent", "axis", "band-edge", "up", *(f"{s}-mark" for s in STATES), *SERIES]
    pairs = [(mark, "paper") for mark in marks] + [(f"{s}-mark", f"{s}-soft") for s in STATES]
    return [*pairs, ("rule-strong", "raised"), ("rule-strong", "sunken"), ("series-1", "fan"), ("series-1", "band")]


@pytest.mark.parametrize("theme", themes()[:2], ids=["light", "dark"])
def test_text_reads_at_four_and_a_half_to_one(theme: dict[str, str]) -> None:
    low = {pair: round(contrast(theme[pair[0]], theme[pair[1]]), 2) for pair in text_pairs()}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", themes()[:2], ids=["light", "dark"])
def test_shapes_stand_out_at_three_to_one(theme: dict[str, str]) -> None:
    low = {pair: round(contrast(theme[pair[0]], theme[pair[1]]), 2) for pair in shape_pairs()}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 3} == {}


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", themes()[:2], ids=["light", "dark"])
def test_two_series_are_never_taken_for_each_other(theme: dict[str, str], sight: str) -> None:
    pairs = itertools.combinations(SERIES, 2)
    assert min(distance(theme[a], theme[b], sight) for a, b in pairs) > 15


def test_both_copies_of_the_dark_theme_are_equal() -> None:
    _light, by_system, chosen = themes()
    assert by_system == chosen


def test_every_token_that_a_style_sheet_uses_is_defined() -> None:
    written = "".join(path.read_text() for path in CSS.glob("*.css"))
    assert set(re.findall(r"var\((--[\w-]+)", written)) <= set(re.findall(r"(--[\w-]+):", written))


def test_colours_stand_in_the_tokens_alone() -> None:
    for path in CSS.glob("*.css"):
        body = path.read_text().split("@media print")[0]
        if path.name != "tokens.css":
            assert re.findall(r"#(?:[0-9a-f]{3}){1,2}\b(?![^{]*\{)", body) == [], path.name
