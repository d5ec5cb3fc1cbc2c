"""What the page Send requests shows, and what is known of a key's first request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from lib.formats import ago
from traffic.clients import queries
from traffic.clients.snippets import PLACEHOLDER, Snippet, snippets
from traffic.models import Key, Request, Scope
from traffic.requests.page import Row, rows

# For so long after a key was made its page asks for the first request by itself.
WATCHED_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """What came in with a key by now. `stored`: a request did; `request` is the newest one that its page can show."""

    key: Key
    now: datetime
    stored: bool
    request: Request | None

    @property
    def watched(self) -> bool:
        """Whether the page goes on asking."""
        return not self.stored and self.now - self.key.created_at < WATCHED_FOR

    @property
    def row(self) -> Row | None:
        return rows([self.request], {})[0] if self.request is not None else None

    def row_words(self) -> str:
        """Which request the row is: rows do not name their key, so other keys of the application may have sent it."""
        if self.key.application is None:
            return _("Newest request of the installation:")
        return _("Newest request of %(application)s:") % {"application": self.key.application.name}

    def headline(self) -> SafeString | str:
        """Whether the first request is there, and if not, how far the key came."""
        if self.stored:
            return _("The first request has arrived.")
        if self.key.last_used_at is not None:
            text = _("The key was used {ago}, but no request is stored yet.")
            return format_html(text, ago=ago(self.key.last_used_at))
        if self.watched:
            return _("Waiting for the first request with this key…")
        return _("No requests with this key yet.")

    def advice(self) -> str:
        """What to check while nothing is stored; empty otherwise."""
        if self.stored or self.key.last_used_at is None:
            return ""
        return _(
            "The response to the program names the error. Spans that are not calls to a model are counted under"
            " Applications."
        )


def first_request(key: Key, now: datetime) -> FirstRequest:
    stored = queries.was_stored(key)
    return FirstRequest(key, now, stored, queries.newest_request(key, now) if stored else None)


def ways_in(secret: str = PLACEHOLDER, scopes: Collection[str] = tuple(Scope)) -> Sequence[Snippet]:
    """The snippets with this installation's addresses and models."""
    return snippets(queries.addresses(), queries.example_models(), secret, scopes)


def can_send(scopes: Collection[str]) -> bool:
    """Whether requests can come with a key of these scopes."""
    return bool({Scope.INGEST, Scope.GATEWAY}.intersection(scopes))
