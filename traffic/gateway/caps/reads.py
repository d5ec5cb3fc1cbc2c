"""Whether a call reads more than its body holds: a file, an address, an earlier answer, what a tool finds. Pure.

Looked for by bytes. A quote inside a JSON string is escaped, so that no name matches inside a text.
"""

from __future__ import annotations

import re

import msgspec

from traffic.gateway.protocols import MOST_READ, RESPONSES, GatewayRequest, find, has_escaped_letters, holds

OUTER = (
    "previous_response_id", "conversation", "container", "mcp_servers", "web_search_options", "plugins",
    "context_management",
)  # fmt: skip
INNER = (b'"file_id"', b'"file_ids"', b'"item_reference"')
PLAIN_TOOLS = (None, "function", "custom")
MOST_ADDRESSES = 2_000  # that are looked at
_EMPTY = (b"null", b"[]", b"{}")
_INLINE = re.compile(
    rb'(?!\s*:)|\s*:\s*(?:null|(?:\{\s*(?:"detail"\s*:\s*"\w{0,20}"\s*,\s*)?"url"\s*:\s*)?"data:)', re.IGNORECASE
)
_ADDRESS = re.compile(rb'\s*:\s*"https?:', re.IGNORECASE)


class Tool(msgspec.Struct):
    """Of a tool in any protocol what kind it is; a function has none in Anthropic's."""

    type: str | None = None


_tools = msgspec.json.Decoder(list[Tool] | None)


def reads_more(request: GatewayRequest) -> bool:
    """Whether what the model reads may be longer than the body."""
    if request.span is not None:  # a form has its files in it
        return False
    fields = request.fields
    names = (*OUTER, "prompt") if request.protocol == RESPONSES else OUTER
    if any(name in fields and (len(fields[name]) > 4 or bytes(fields[name]) not in _EMPTY) for name in names):
        return True
    body = request.body
    return (
        has_escaped_letters(body)
        or holds(body, *INNER)
        or _has_other_tools(fields.get("tools"))
        or _has_addresses(body)
    )


def _has_other_tools(raw: msgspec.Raw | None) -> bool:
    if raw is None:
        return False
    try:
        return len(raw) > MOST_READ or any(tool.type not in PLAIN_TOOLS for tool in _tools.decode(raw) or ())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True


def _has_addresses(body: bytes) -> bool:
    """Whether an image, a document, sound or video stands behind an address, and not in the body as `data:`."""
    urls, files = _ends(body, b'url"'), _ends(body, b'"file_data"')
    if len(urls) > MOST_ADDRESSES or len(files) > MOST_ADDRESSES:
        return True
    return any(_is_address(body, end) for end in urls) or any(_ADDRESS.match(body, end) for end in files)


def _is_address(body: bytes, end: int) -> bool:
    """Whether a name or value that ends in `url` here is of a source behind an address."""
    before, after = body[max(end - 204, 0) : end - 4], body[end : end + 300]
    if before.endswith(b"_"):
        return not after.strip() or not _INLINE.match(after)
    if not before.endswith(b'"'):
        return False
    name, colon, rest = before[:-1].rpartition(b":")  # of the value `"url"`
    return not rest.strip() and (not colon or not name.strip() or name.rstrip().endswith(b'"type"'))


def _ends(body: bytes, mark: bytes) -> list[int]:
    """Where a mark ends in the body, for as many as are looked at and one more."""
    ends: list[int] = []
    at = find(body, mark)
    while at >= 0 and len(ends) <= MOST_ADDRESSES:
        ends.append(at + len(mark))
        at = find(body, mark, at + len(mark))
    return ends
