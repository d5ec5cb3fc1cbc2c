"""Requests whose kept texts hold some words: by an index of the words, a week of days for each page, the newest first.

Only texts of applications that opted in are there, and only who may read them may look for words in them. The window
is by design: an index of words has no order of time, so that each day is asked by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection

from lib.dates import DAY, midnight
from traffic.models import Request
from traffic.requests.queries import RequestPage, cursor_at, cursor_of, days_of, decode_cursor, earlier
from traffic.requests.request_filter import RequestFilter

WINDOW = timedelta(days=7)
MATCHES_MOST = 2_000  # of one day; words that more texts hold find nothing in particular

# As the index `traffic_request_body_words` has it.
PROMPT, ANSWER = (f"left(coalesce({name}, ''), 100000)" for name in ("prompt", "answer"))
# A longer word takes Postgres the square of its length. What is looked for is cut in the same way.
# (Written for being formatted twice.)
CUT = r"regexp_replace({}, '(\S{{{{60}}}})', '\1 ', 'g')"
MATCHES = f"""
SELECT request_id FROM traffic_request_body
WHERE day = %s AND to_tsvector('simple', {CUT.format(f"{PROMPT} || ' ' || {ANSWER}")})
    @@ websearch_to_tsquery('simple', {CUT.format("%s")})
{{among}} LIMIT %s
"""
# Of a person's applications alone: how many texts of others hold the words is theirs to know. A trial's request may
# hold a prompt of another application: `traffic.visibility.copies_of_others`.
AMONG = """
AND EXISTS (
    SELECT FROM traffic_request AS r WHERE r.day = %s AND r.id = request_id AND r.application_id = ANY(%s)
) AND NOT EXISTS (
    SELECT FROM traffic_trialcall AS c JOIN traffic_trialprompt AS p ON p.id = c.prompt_id
    WHERE c.request_id = traffic_request_body.request_id AND p.application_id <> ALL(%s)
)
"""


class TooCommon(Exception):
    """So many texts of a day hold the words that the newest of them cannot be told without reading them all."""

    def __init__(self, day: date) -> None:
        super().__init__(f"more than {MATCHES_MOST} texts of {day}")
        self.day = day


def newest_with_words(
    request_filter: RequestFilter, *, retention_days: int, cursor: str | None = None, limit: int = 50
) -> RequestPage:
    """One page. Raises TooCommon, and ApiError (422) for a cursor that is not ours."""
    place = decode_cursor(cursor)
    first, end = days_of(request_filter, retention_days, place)
    stop = max(first, end - WINDOW)
    page: list[Request] = []
    for day in (end - DAY * n for n in range(1, (end - stop).days + 1)):
        ids = matches(day, request_filter.words, request_filter.readable)
        if ids:
            requests = earlier(request_filter.of(Request.objects.in_days(day, day + DAY).filter(id__in=ids)), place)
            page += requests.select_related("application", "deployment").newest_first()[: limit + 1 - len(page)]
        if len(page) > limit:
            return RequestPage(page[:limit], cursor_of(page[limit - 1]))
    if stop <= first:
        return RequestPage(page, None)
    reached = midnight(stop)
    return RequestPage(page, cursor_at(reached), reached)


def matches(day: date, words: str, readable: Sequence[int] | None) -> list[uuid.UUID]:
    """Requests of a day whose texts hold all the words, of the applications that may be read; None is all.

    Raises TooCommon.
    """
    whose: list[Any] = [] if readable is None else [day, list(readable), list(readable)]
    with connection.cursor() as cursor:
        cursor.execute(MATCHES.format(among=AMONG if whose else ""), [day, words, *whose, MATCHES_MOST + 1])
        ids = [identifier for (identifier,) in cursor.fetchall()]
    if len(ids) > MATCHES_MOST:
        raise TooCommon(day)
    return ids
