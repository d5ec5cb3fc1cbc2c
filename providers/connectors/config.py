"""What a connector gets and what it raises: an account's configuration, a vendor's own options, the one error."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.netguard import LONGEST_S, Deadline


class ConnectorError(Exception):
    """A poll failed. The message is a sentence for the account's page and never holds a key.

    `permanent` means that trying again cannot help until a person changes something; `retry_after` is the vendor's own
    wish in seconds; `partial` that only what was asked for is refused, and the key may be good for the rest; `capped`
    that a spend limit which people set at the vendor is reached, so that it serves their requests no more either.
    """

    def __init__(
        self,
        message: str,
        permanent: bool = False,
        retry_after: float | None = None,
        *,
        partial: bool = False,
        capped: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.retry_after = retry_after
        self.partial = partial
        self.capped = capped


@dataclass(frozen=True)
class Option:
    """A setting that one vendor needs besides address and key; the account's form asks for it.

    `type` is str, int, bool, or list for words with commas between them; left empty it is not stored.
    """

    label: str
    help: str = ""
    type: type = str


@dataclass(frozen=True)
class AccountConfig:
    """What a connector needs to know of an account. An empty base URL is the vendor's own."""

    base_url: str = ""
    secret: str = field(default="", repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    local: bool = False
    timeout: float = 20.0  # seconds that the vendor may stay silent
    pause: Callable[[float], None] = time.sleep  # how whoever polls waits between two calls that a vendor wants apart
    # Every connection, page and wait of one feed shares it.
    deadline: Deadline = field(default_factory=lambda: Deadline(LONGEST_S), compare=False)
