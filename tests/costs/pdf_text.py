"""The text of a PDF that fpdf2 wrote, read back by what the file itself says its glyphs mean (ToUnicode)."""

from __future__ import annotations

import re
import zlib


def text_of(pdf: bytes) -> list[str]:
    """Every piece of text that is drawn, in the order of drawing; one font is understood."""
    streams = [inflated(found) for found in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)]
    letters: dict[int, str] = {}
    for stream in streams:
        if b"begincmap" in stream:
            for glyph, letter in re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>", stream):
                letters[int(glyph, 16)] = bytes.fromhex(letter.decode()).decode("utf-16-be")
    return [
        "".join(letters.get(glyph, "?") for glyph in glyphs(raw))
        for stream in streams
        if b"BT" in stream and b"begincmap" not in stream
        for raw in re.findall(rb"\((.*?)(?<!\\)\) Tj", stream, re.DOTALL)
    ]


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


def glyphs(raw: bytes) -> list[int]:
    plain = re.sub(rb"\\(.)", lambda found: b"\r" if found[1] == b"r" else found[1], raw, flags=re.DOTALL)
    return [int.from_bytes(plain[at : at + 2]) for at in range(0, len(plain), 2)]
