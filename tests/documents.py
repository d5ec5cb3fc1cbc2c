"""The code blocks of the how-to pages."""

from __future__ import annotations

import re
from pathlib import Path

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to" / "send-requests.md"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(section: str, language: str) -> list[str]:
    """The code of one section, by its heading; empty for what stands before the first."""
    for part in re.split(r"^## ", HOW_TO.read_text(), flags=re.MULTILINE):
        heading, _, body = part.partition("\n")
        if heading == section or (not section and heading.startswith("# ")):
            return [code for kind, code in BLOCK.findall(body) if kind == language]
    raise AssertionError(f"the how-to has no section {section!r}")
