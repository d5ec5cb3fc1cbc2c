"""Names of language models, as far as two of them can mean the same one."""

from __future__ import annotations

import re

DATED = re.compile(r"[-@](20\d{6}|20\d\d-\d\d-\d\d|latest|\d{4})$")


def canonical_name(model: str) -> str:
    """A model's name without its release date and the path of its publisher.

    `claude-sonnet-5-5-20261007`, `anthropic/claude-sonnet-5-5` and `claude-sonnet-5-5@20261007` are the same model.
    """
    return DATED.sub("", model.rsplit("/", 1)[-1])
