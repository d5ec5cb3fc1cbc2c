"""A status page's badge: a small drawing of two words, for other people's pages. Pure."""

from __future__ import annotations

from django.utils.html import format_html

# White on each of these has a contrast of at least 4.5.
COLOURS = {"ok": "#1a7341", "bad": "#b3261e", "info": "#2b5fb0", "unknown": "#5c6470", "warn": "#8a5a00"}
LABEL_COLOUR = "#30363d"
LONGEST = 40
LETTER, PAD = 6.6, 8  # a letter's width at 11 px in a sans face, and what stands beside a word

BADGE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" viewBox="0 0 {width} 20" role="img" '
    'aria-label="{label}: {word}"><title>{label}: {word}</title>'
    '<rect width="{width}" height="20" rx="3" fill="{dark}"/>'
    '<path d="M{left} 0H{straight}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left}z" fill="{colour}"/>'
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
    '<text x="{pad}" y="14" textLength="{label_w}" lengthAdjust="spacingAndGlyphs">{label}</text>'
    '<text x="{word_x}" y="14" textLength="{word_w}" lengthAdjust="spacingAndGlyphs">{word}</text>'
    "</g></svg>"
)


def badge(label: str, word: str, mark: str) -> str:
    """An SVG document. Both texts are escaped; a long label is cut."""
    label = label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
    label_w, word_w = round(len(label) * LETTER), round(len(word) * LETTER)
    left = label_w + 2 * PAD
    width = left + word_w + 2 * PAD
    return format_html(
        BADGE,
        width=width,
        label=label,
        word=word,
        dark=LABEL_COLOUR,
        colour=COLOURS[mark],
        left=left,
        straight=width - 3,
        pad=PAD,
        label_w=label_w,
        word_x=left + PAD,
        word_w=word_w,
    )
