"""Limits the answers that are made while they are sent: a few at once, and fewer of one caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _

from dashboard.front.pools import Pool
from lib.errors import ApiError

EACH = 2  # downloads of one caller at once; fewer than there are threads, so that others can start one
RETRY_S = 10


class Downloads:
    """The threads that make downloads, and the number of downloads by caller. For one event loop."""

    def __init__(self, threads: int = 4, each: int = EACH) -> None:
        self.pool = Pool("downloads", threads=threads, longest=0, wait_s=0)
        self.each = each
        self._counts: Counter[object] = Counter()

    @contextmanager
    def place(self, caller: object) -> Iterator[None]:
        """Hold one of the caller's places. Raises ApiError (429) if all of them are in use."""
        if self._counts[caller] >= self.each:
            words = _("You have %(count)d downloads running. Wait for one to end.") % {"count": self.each}
            raise ApiError(429, words, retry_after=RETRY_S)
        self._counts[caller] += 1
        try:
            yield
        finally:
            self._counts[caller] -= 1
            if not self._counts[caller]:
                del self._counts[caller]
