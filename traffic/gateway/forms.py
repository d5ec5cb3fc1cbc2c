"""Forms with files: their parts are cut at the boundary, and the patterns run over the parts' heads alone.

Whatever parsers may read differently is refused: the engine's might take another model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from traffic.gateway.bounds import MOST_MODEL
from traffic.gateway.protocols import MEDIA, BadRequest, GatewayRequest, find

MOST_FORM_PARTS = 200
MOST_PART_HEAD = 4 * 1024  # bytes

_BOUNDARY = re.compile(rb'boundary[ \t]*=[ \t]*(?:"([^"\\]{1,200})"|([^\s;",\\]{1,200}))[ \t]*(?:;|$)', re.IGNORECASE)
_NAME = re.compile(rb'(?<![\w-])name([ \t*\d]*)=[ \t]*"?([^"\r\n;]{0,200})', re.IGNORECASE)
_MODEL = re.compile(rb"model(?![\w-])", re.IGNORECASE)
# Lines that end otherwise, lines that go on in the next one, and values that are written otherwise.
_ODD_HEAD = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|:[ \t]*(?:base64|quoted-printable)", re.IGNORECASE)

_NO_FORM = "The body is no form: its parts must stand between the boundary that content-type names."


def read_form(body: bytes, content_types: Sequence[bytes]) -> GatewayRequest:
    """Read the model's name out of a form with files, which stay as they are. Raises BadRequest with a sentence."""
    spans: list[tuple[int, int]] = []
    streamed = False
    for name, start, end in _parts(body, _delimiter(content_types)):
        if _MODEL.match(name):
            spans.append((start, end))
            if name != b"model":
                raise BadRequest("model: a form must name one model.")
        elif name == b"stream":
            streamed = body[start : min(end, start + 9)].lower() == b"true"
    if len(spans) != 1:
        raise BadRequest("model: a form must name one model.")
    ((start, end),) = spans
    model = body[start : min(end, start + 1_000)].decode("utf-8", "replace").strip()
    if end - start > 1_000 or not 0 < len(model) <= MOST_MODEL or "\r" in model or "\n" in model:
        raise BadRequest(f"model: a name has {MOST_MODEL} characters at most.")
    return GatewayRequest(MEDIA, body, {}, model, streamed, span=(start, end))


def values_of(body: bytes, content_types: Sequence[bytes], name: bytes) -> list[str]:
    """The values of a form's parts with this name, however it is written. Raises BadRequest with a sentence."""
    parts = _parts(body, _delimiter(content_types))
    values = [body[start : min(end, start + 1_000)] for part, start, end in parts if part.lower().startswith(name)]
    return [value.decode("utf-8", "replace").strip() for value in values]


def _delimiter(content_types: Sequence[bytes]) -> bytes:
    boundaries = [match[1] or match[2] for value in content_types for match in _BOUNDARY.finditer(value)]
    if len(content_types) != 1 or len(boundaries) != 1 or content_types[0].lower().count(b"boundary*"):
        raise BadRequest(_NO_FORM)
    return b"--" + boundaries[0]


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name of each part, and where its value begins and ends. Raises BadRequest."""
    if not body.startswith(delimiter):
        raise BadRequest(_NO_FORM)
    at = len(delimiter)
    for _ in range(MOST_FORM_PARTS):
        if body.startswith(b"--", at) and find(body, delimiter, at) < 0:
            return
        start = body.find(b"\r\n\r\n", at, at + MOST_PART_HEAD) + 4
        end = find(body, delimiter, start) - 2
        if start < 4 or end < start or not (body.startswith(b"\r\n", at) and body.startswith(b"\r\n", end)):
            raise BadRequest(_NO_FORM)
        yield _name(body[at : start - 4]), start, end
        at = end + 2 + len(delimiter)
    raise BadRequest(f"A form may have {MOST_FORM_PARTS - 1} parts.")


def _name(head: bytes) -> bytes:
    names = list(_NAME.finditer(head))
    if len(names) != 1 or names[0][1].strip() or b"\\" in names[0][2] or b"%" in names[0][2] or _ODD_HEAD.search(head):
        raise BadRequest("Each part of a form must have one name, in one line.")
    return names[0][2].strip()
